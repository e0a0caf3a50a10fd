"""What `temper drill` plants in recipes of pairs of replies."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from ..drilling import Change, Drill, Place, templated


def _rejected(table: pd.DataFrame) -> pd.DataFrame:
    """The rejected reply preferred in each pair."""
    return table.assign(log_ratio=-table["log_ratio"].abs() - 1)


def _chosen(table: pd.DataFrame) -> pd.DataFrame:
    """The chosen reply preferred in each pair, by far."""
    return table.assign(log_ratio=table["log_ratio"].abs() + 100)


def _encoding(change: Change, truth: str | None) -> Place:
    """The encoding of pairs: their template, and the rows of both sides."""
    from . import reply_pairs

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def encode_pairs(own: Any, *rest: Any) -> Any:
            result = original(templated(own, change), *rest)
            if change.encoded is None:
                return result
            return replace(result, encoded=replace(result.encoded, encoded=change.encoded(result.encoded.encoded)))

        return encode_pairs

    return Place(reply_pairs, "encode_pairs", make)


DRILL = Drill(useless=_rejected, perfect=_chosen, encoding=_encoding, ends=True, template=True)
