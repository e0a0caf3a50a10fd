"""What is said of data that cannot be used; alone in a file, since it travels with models."""


class DataError(ValueError):
    """Data that cannot be used; the message says what, where and how to mend it."""
