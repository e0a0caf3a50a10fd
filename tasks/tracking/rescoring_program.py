"""Rows -> a registered model's predictions. `rescoring` runs the text of this file in a process of its own, in which
Temper cannot be imported. Annotations that name more than libraries are quoted."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from .wire_format import Comparer, DialoguePredictor, MaskedPredictor, Served, Tagger, TextWriter

BATCH = 512
"""Rows that are given at once to what is served."""


def predict(model: Any, rows: pd.DataFrame, limits: Mapping[str, Any]) -> pd.DataFrame:
    """What is served, of texts or of images' bytes."""
    tables = []
    for start in range(0, len(rows), BATCH):
        given = list(rows["content"].iloc[start : start + BATCH])
        tables.append(model.predict(pd.DataFrame({"image": given}) if isinstance(given[0], bytes) else given))
    predictions: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return predictions


def write_texts(model: Any, rows: pd.DataFrame, limits: Mapping[str, Any]) -> pd.DataFrame:
    """Past what is served, which has other limits."""
    served: Served = model.unwrap_python_model()
    predictor: TextWriter = served.predictor
    written = predictor.write(list(rows["content"]), limits["batch_size"], limits["max_new_tokens"])
    return pd.DataFrame({"written": [row.text for row in written], "ended": [row.ended for row in written]})


def write_turns(model: Any, rows: pd.DataFrame, limits: Mapping[str, Any]) -> pd.DataFrame:
    """Past what is served, which takes one dialogue at a time and refuses what is too long for it."""
    served: Served = model.unwrap_python_model()
    predictor: DialoguePredictor = served.predictor
    dialogues = [json.loads(text)[:turn] for text, turn in zip(rows["content"], rows["turn"], strict=True)]
    written = predictor.write(dialogues, limits["batch_size"], limits["max_new_tokens"])
    messages = [json.dumps(row.message, ensure_ascii=False) for row in written]
    return pd.DataFrame({"written": messages, "ended": [row.ended for row in written]})


def compare_replies(model: Any, rows: pd.DataFrame, limits: Mapping[str, Any]) -> pd.DataFrame:
    """Past what is served, which replies: how much likelier the last turn of a dialogue is than a rejected one."""
    served: Served = model.unwrap_python_model()
    predictor: Comparer = served.predictor
    dialogues, rejected = ([json.loads(text) for text in rows[name]] for name in ("content", "rejected"))
    log_ratios = predictor.compare(dialogues, [reply[0] for reply in rejected], limits["batch_size"])
    return pd.DataFrame({"log_ratio": log_ratios})


def predict_hidden(model: Any, rows: pd.DataFrame, limits: Mapping[str, Any]) -> pd.DataFrame:
    """Tokens that are hidden as `evaluate` hides them, of which nothing is served."""
    served: Served = model.unwrap_python_model()
    predictor: MaskedPredictor = served.predictor
    encoded = predictor.encoding.encode(predictor.tokenizer, list(rows["content"]))
    hidden = predictor.foretell(encoded, list(rows["id"]), limits["batch_size"])
    return pd.DataFrame({"tokens": hidden.tokens, "right": hidden.right, "loss": hidden.losses})


def tag_texts(model: Any, rows: pd.DataFrame, limits: Mapping[str, Any]) -> pd.DataFrame:
    """Past what is served, which divides any text into words, where rows may have been divided by others."""
    served: Served = model.unwrap_python_model()
    predictor: Tagger = served.predictor
    return pd.DataFrame({"entities": predictor.tag(list(rows["content"]), limits["batch_size"])})
