"""temper plan."""


def command() -> None:
    """TODO."""
