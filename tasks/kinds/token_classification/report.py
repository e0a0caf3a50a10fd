"""A model that finds entities and its test rows -> entity F1, together and per type, next to a dictionary's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.schema import Evaluate
from configs.token_encodings import TokenClassificationEncode

from ...artifact import Artifact
from ...data.rows import read_rows
from ...data.tags.rows import Tagged, read_tags
from ...learn.evaluation_report import (
    SAMPLES,
    Judged,
    Progress,
    Subject,
    cell,
    chosen_baselines,
    describe,
    encoded_otherwise,
    sampled,
    save,
    state,
)
from ...learn.examples import save_examples
from ...learn.resampling import Resampling
from ...text.evaluation_stage import rows_encoded_otherwise
from ...text.parts import Part, read_part
from ..spec import StageOutput
from .dictionary import learn, look_up
from .marked import sample_marked
from .metrics import TypeScores, count_entities, score_entities, score_types
from .predictor import Predictor, write_entities, write_found
from .training import open_training

KIND = "token_classification"
Entities = list[Any]


def evaluate(out: StageOutput, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact) -> tuple[int, str]:
    """Score the model in `folder` once on the test rows and write the report: rows scored, and a page.

    Raises DataError where inference encodes a row otherwise than training did.
    """
    parts = {name: read_part(encoded.file(f"{name}.parquet")) for name in ("train", "test")}
    train, test = (_rows(splits.file(f"{name}.parquet"), part) for name, part in parts.items())
    _require_alike(folder, test, parts["test"])
    judged = judge(folder, train, test, section, lambda done, of: out.progress(done, of, "scoring"))
    save(judged, out.data, out.records)
    save_examples(sample_marked(test["text"].tolist(), judged.answers, section.seed), out.records)
    return len(test), describe(judged, f"{KIND}, {len(test):,} test rows")


def _rows(path: Path, part: Part) -> pd.DataFrame:
    """The rows that were encoded, each once."""
    return read_rows(path).set_index("id").loc[list(dict.fromkeys(part.ids))].reset_index()


def _require_alike(folder: Path, test: pd.DataFrame, part: Part) -> None:
    training = open_training(folder)
    words = [training.encoding.words(text) for text in test["text"]]
    now = training.encoding.windows(training.tokenizer, test["text"].tolist(), words)
    if len(now.encoded) != len(part):
        raise encoded_otherwise(str(test["id"].iloc[0]))
    odd = rows_encoded_otherwise(now.encoded, part.encoded)
    if len(odd):
        raise encoded_otherwise(part.ids[odd[0]])


def judge(folder: Path, train: pd.DataFrame, test: pd.DataFrame, section: Evaluate, progress: Progress) -> Judged:
    """Find the entities of the test rows (id, text, tags) and score."""
    predictor = Predictor.load(folder)
    traits, how = TokenClassificationEncode.traits, Resampling(section.bootstrap, section.confidence, section.seed)
    texts, rows = test["text"].tolist(), _read(test)
    true: Entities = [row.entities for row in rows]
    predicted: Entities = [row.entities for row in predictor.predict_rows(texts, section.batch_size, progress)]
    baselines = {}
    for name in chosen_baselines(KIND, traits, section):
        known = learn(train["text"].tolist(), _read(train))
        looked_up = [look_up(known, text, row) for text, row in zip(texts, rows, strict=True)]
        baselines[name] = score_entities(true, looked_up, how)
    facts = state(
        Subject(KIND, traits, len(test)),
        score_entities(true, predicted, how),
        section,
        shown=traits.scores,
        baselines=baselines,
    )
    facts["types"] = score_types(true, predicted, how)
    answers = pd.DataFrame(
        {
            "id": test["id"].to_numpy(),
            "true": [write_entities(text, entities) for text, entities in zip(texts, true, strict=True)],
            "predicted": [write_entities(text, entities) for text, entities in zip(texts, predicted, strict=True)],
        }
    )
    samples = sampled(test["id"].tolist()[:SAMPLES], texts[:SAMPLES], predictor.frame(texts[:SAMPLES]))
    return Judged(facts, answers, samples, [*_types(facts["types"]), *_worst(test, true, predicted, section.worst)])


def _read(rows: pd.DataFrame) -> list[Tagged]:
    return [read_tags(*text_and_tags) for text_and_tags in zip(rows["text"], rows["tags"], strict=True)]


def _types(types: Mapping[str, TypeScores]) -> list[str]:
    lines = ["| type | F1 | interval | right | true | predicted |", "|---|---:|---:|---:|---:|---:|"]
    for label, scores_of_type in types.items():
        interval = (
            "" if scores_of_type["f1_interval"] is None else "{:.4f} – {:.4f}".format(*scores_of_type["f1_interval"])
        )
        counts = f"{scores_of_type['right']:,} | {scores_of_type['true']:,} | {scores_of_type['predicted']:,}"
        lines.append(f"| {cell(label)} | {scores_of_type['f1']:.4f} | {interval} | {counts} |")
    return lines


def _worst(test: pd.DataFrame, true: Entities, predicted: Entities, worst: int) -> list[str]:
    """Sentences with the most entities that were missed or are none."""
    right, due, given = count_entities(true, predicted)
    wrong = due + given - 2 * right
    order = [int(at) for at in np.argsort(-wrong, kind="stable")[:worst] if wrong[at]]
    if not order:
        return []
    lines = ["", "Most mistakes:", "", "| row | text | true | predicted |", "|---|---|---|---|"]
    for at in order:
        text = str(test["text"].iloc[at])
        sides = (
            ", ".join(f"{text[entity.start : entity.stop]} ({entity.label})" for entity in side[at])
            for side in (true, predicted)
        )
        lines.append(f"| {test['id'].iloc[at]} | {cell(text)} | {' | '.join(cell(side) for side in sides)} |")
    return lines


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> Mapping[str, object]:
    """The entities that the model in `folder` finds in a table's only row."""
    predictor, text = Predictor.load(folder), str(row["text"].iloc[0])
    (predicted,) = predictor.predict_rows([text])
    return {"entities": write_found(text, predicted), "probability": predicted.probability}
