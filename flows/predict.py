"""temper predict."""


def command() -> None:
    """TODO."""
