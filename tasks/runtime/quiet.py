"""Libraries' loggers made silent for a while, where Temper states the same itself or nobody asked for it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def errors_alone(*names: str) -> Iterator[None]:
    """Let these loggers state errors alone."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def without(words: str, name: str = "") -> Iterator[None]:
    """Drop a logger's lines (the root's without a name) that hold these words, and no others."""
    logger = logging.getLogger(name)

    def asked(record: logging.LogRecord) -> bool:
        return words not in record.getMessage()

    logger.addFilter(asked)
    try:
        yield
    finally:
        logger.removeFilter(asked)
