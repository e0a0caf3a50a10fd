"""python -m flows: the same as `temper`."""

from .cli import main

main()
