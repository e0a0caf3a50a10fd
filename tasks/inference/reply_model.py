"""A registered dialogue model as a model that is asked for replies, a batch of histories at a time."""

from typing import Any

import pandas as pd

from ..artifact import StageError
from ..data.errors import DataError
from ..tracking.wire_format import TOO_LONG, DialoguePredictor
from .batch import Model
from .dialogue_inputs import reply_columns

COLUMNS = {"reply": "string", "calls": "string"}
"""What is reported of a reply, with MLflow's types."""


def reply_model(predictor: DialoguePredictor, identity: dict[str, object]) -> Model:
    """The model of a predictor of dialogues that came out of the registry; its code may be older than this."""

    def ask(histories: list[Any]) -> pd.DataFrame:
        for number, messages in enumerate(histories):
            try:
                predictor.prompt(messages)
            except ValueError as error:  # of the package that the model carries, so that its class is another
                error_class = StageError if type(error).__name__ in TOO_LONG else DataError
                raise error_class(f"row {number}: {error}") from None
        return pd.DataFrame([reply_columns(turn.message) for turn in predictor.write(histories)], columns=list(COLUMNS))

    return Model(ask, COLUMNS, identity)
