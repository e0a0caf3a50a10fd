"""What a registered model takes and gives: a report's facts and sample rows in; MLflow's signature and example out."""

import base64
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.llm import CHAT_MODEL_INPUT_SCHEMA, CHAT_MODEL_OUTPUT_SCHEMA
from mlflow.types.schema import AnyType

OUTPUTS = {
    "seq2seq": [ColSpec("string", "written")],
    "regression": [ColSpec("double", "value")],
    "masked": [ColSpec("string", "filled"), ColSpec("double", "probability")],
}
"""Columns of the answers of kinds without classes."""


def example(content: str, samples: list[dict[str, Any]]) -> Any:
    """Sample rows as a caller would give them: texts, the bytes of image files, or one dialogue."""
    if content == "messages":
        given = samples[0]["messages"]
        return given if isinstance(given, dict) else {"messages": given}
    if content == "image":
        return pd.DataFrame({"image": [base64.b64decode(sample["image"]) for sample in samples]})
    return pd.DataFrame({"text": [sample["text"] for sample in samples]})


def signature(facts: dict[str, Any]) -> ModelSignature:
    """What a model takes and gives, from a report's kind, content and labels.

    Texts: one unnamed column, so that lists pass as well as tables, of any type: as a column of strings MLflow's server
    would make the words "None" and "5" of null and 5 before the model can refuse them. Images: a column of bytes.
    Dialogues: MLflow's own chat signature.
    """
    if facts["content"] == "messages":
        return ModelSignature(CHAT_MODEL_INPUT_SCHEMA, CHAT_MODEL_OUTPUT_SCHEMA)
    outputs = [ColSpec("string", "label"), ColSpec("double", "probability")]
    outputs += [ColSpec("double", f"probability of {label}") for label in facts["labels"]]
    given = ColSpec(AnyType()) if facts["content"] == "text" else ColSpec("binary", facts["content"])
    return ModelSignature(Schema([given]), Schema(OUTPUTS.get(facts["kind"], outputs)))
