"""temper pin."""


def command() -> None:
    """TODO."""
