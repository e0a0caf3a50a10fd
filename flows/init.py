"""temper init."""


def command() -> None:
    """TODO."""
