"""temper doctor."""


def command() -> None:
    """TODO."""
