"""`evaluate` of kinds that read texts and predict no classes: the raw rows that were encoded, scored by the kind."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from configs.schema import Evaluate

from ..artifact import Artifact
from ..data.pairs import TEXT_PAIR, contents
from ..data.rows import read_rows
from ..learn.evaluation_report import Judged, Progress, describe, encoded_otherwise, save
from ..text.evaluation_stage import rows_encoded_otherwise
from ..text.parts import Part, read_part
from ..text.segments import Encoded
from ..text.training import TextTraining
from .spec import StageOutput

Judge = Callable[[Path, pd.DataFrame, pd.DataFrame, Evaluate, Progress], Judged]
"""A model's folder, training and test rows, evaluate's section and the progress in; what the test gave out."""


def _stored(part: Part) -> Encoded:
    return part.encoded


@dataclass(frozen=True)
class TextReports:
    """What such a kind's report is made of.

    open_training: of a model's files. judge: scores. sources: of an encoded part, what the model reads of each row.
    draw: pictures into a folder.
    """

    open_training: Callable[[Path], TextTraining]
    judge: Judge
    sources: Callable[[Part], Encoded] = _stored
    draw: Callable[[Judged, Path], None] = lambda judged, records: None

    def evaluate(
        self, out: StageOutput, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact
    ) -> tuple[int, str]:
        """Score the model in `folder` once on the test rows and write the report: rows scored, and a page.

        Raises DataError where inference encodes a row otherwise than training did.
        """
        training: Any = self.open_training(folder)
        parts = {name: read_part(encoded.file(f"{name}.parquet")) for name in ("train", "test")}
        train, test = (
            read_rows(splits.file(f"{name}.parquet")).set_index("id").loc[part.ids].reset_index()
            for name, part in parts.items()
        )
        now = training.encoding.encode(training.tokenizer, contents(test))
        odd = rows_encoded_otherwise(now, self.sources(parts["test"]))
        if len(odd):
            raise encoded_otherwise(test["id"].iloc[odd[0]])
        judged = self.judge(folder, train, test, section, lambda done, of: out.progress(done, of, "scoring"))
        if TEXT_PAIR in test:
            judged.facts["pairs"] = True
        save(judged, out.data, out.records)
        self.draw(judged, out.records)
        return len(test), describe(judged, f"{training.kind}, {len(test):,} test rows")
