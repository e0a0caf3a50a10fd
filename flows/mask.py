"""temper mask."""


def command() -> None:
    """TODO."""
