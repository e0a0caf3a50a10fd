"""One pair of replies: how likely the trained model prefers the chosen one, held to its reference."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.reference import reference_of

from ...data.dialogues.messages import dump_messages, transcript
from ...data.errors import DataError
from ...learn.row_answers import Bar, RowAnswer
from .log_probabilities import Batches, Floats, log_probabilities
from .metrics import Compared
from .outcomes import quality
from .predictor import Predictor
from .reference import reference_model
from .reply_pairs import encode_pairs
from .report import held_to
from .rows import read_rows_of


def answer_row(folder: Path, row: pd.DataFrame) -> RowAnswer:
    """What the model in `folder` makes of a table's only pair: the probability of DPO's model of preferences (Bradley
    and Terry), a sigmoid of the margin. Raises DataError for a pair that cannot be encoded."""
    predictor, train = cast(Predictor, Predictor.load(folder)), held_to(folder)
    pairs, _ = read_rows_of(row)
    encoded = encode_pairs(predictor.encoding, predictor.tokenizer, pairs).encoded.encoded
    if len(encoded) != 2:
        raise DataError("this pair is not among the encoded ones; `temper trace` shows its way")

    def log_ratio(model: Any) -> Floats:
        values = log_probabilities(model, Batches(encoded, predictor.encoding.pad_id, 2))
        return values[:1] - values[1:]

    ratios = log_ratio(predictor.model), log_ratio(reference_model(reference_of(train), folder))
    prefers = float(np.exp(-np.logaddexp(0, -Compared(*ratios, train.beta).margin[0])))
    (dialogue, rejected), replies = pairs[0], []
    for reply, probability, true in ((dialogue[-1], prefers, True), (rejected, 1 - prefers, False)):
        replies.append(Bar(transcript([reply]) or dump_messages([reply]), probability, true, probability > 0.5))
    return RowAnswer(transcript(list(dialogue[:-1])), replies)


def mistakes(answers: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Of which test pairs the rejected reply has the higher reward."""
    return quality(answers) < 1
