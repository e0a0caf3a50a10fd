"""What a registered model takes and gives: a report's facts and sample rows in; MLflow's signature and example out."""

import base64
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.llm import CHAT_MODEL_INPUT_SCHEMA, CHAT_MODEL_OUTPUT_SCHEMA
from mlflow.types.schema import AnyType

from ..documents import ReportFacts, SampleRow
from ..kinds.spec import open_kind
from .wire_format import IMAGE, LABEL, MESSAGES, PROBABILITY, PROBABILITY_OF, TEXT, TEXT_PAIR


def example(content: str, samples: list[SampleRow]) -> Any:
    """Sample rows as a caller would give them: texts, pairs of texts, the bytes of image files, or one dialogue."""
    contents: list[Any] = [dict(sample)[content] for sample in samples]
    if content == MESSAGES:
        return contents[0] if isinstance(contents[0], dict) else {MESSAGES: contents[0]}
    if content == IMAGE:
        return pd.DataFrame({IMAGE: [base64.b64decode(image) for image in contents]})
    return pd.DataFrame(contents if isinstance(contents[0], dict) else {TEXT: contents})


def signature(facts: ReportFacts) -> ModelSignature:
    """What a model takes and gives, from a report's kind, content and labels.

    Texts: one unnamed column, so that lists pass as well as tables, of any type: as a column of strings MLflow's server
    would make the words "None" and "5" of null and 5 before the model can refuse them. Pairs of texts: two columns of
    that type, text and text_pair. Images: a column of bytes. Dialogues: MLflow's own chat signature.
    """
    if facts["content"] == MESSAGES:
        return ModelSignature(CHAT_MODEL_INPUT_SCHEMA, CHAT_MODEL_OUTPUT_SCHEMA)
    answers = open_kind(facts["kind"]).answers
    if answers is None:
        chances = [PROBABILITY, *(f"{PROBABILITY_OF}{label}" for label in facts["labels"])]
        answers = {LABEL: "string"} | dict.fromkeys(chances, "double")
    elif facts.get("labels"):
        answers = {**answers, **{f"{PROBABILITY_OF}{label}": "double" for label in facts["labels"]}}
    outputs = [ColSpec(kind, name) for name, kind in answers.items()]
    if facts.get("pairs"):
        return ModelSignature(Schema([ColSpec(AnyType(), name) for name in (TEXT, TEXT_PAIR)]), Schema(outputs))
    given = ColSpec(AnyType()) if facts["content"] == TEXT else ColSpec("binary", facts["content"])
    return ModelSignature(Schema([given]), Schema(outputs))
