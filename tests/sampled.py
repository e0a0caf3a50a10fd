"""Parameters of which some stand for all in `.ci/run`; the others are tried by `make long`."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(values: Iterable[Any], *quick: Any) -> list[Any]:
    """All values as parameters of a test, those that are not among `quick` marked as long."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.long) for value in values]
