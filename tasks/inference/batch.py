"""Questions -> predictions, batch by batch; finished batches outlive a kill, and the next call goes on behind them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from configs.load import RecipeError

from ..artifact import StageError
from ..data.errors import DataError
from .finished_batches import Finished
from .inputs import Questions
from .outputs import Summary, Tally, Writer, check_ending, free_names, join_predictions, open_writer

ERROR = "error"
"""Column with the reason why a question has no prediction."""
TYPES = {"string": pa.string(), "double": pa.float64()}
"""MLflow's types of predictions."""
AT_ONCE = 65_536
"""Rows that are put together and written at once."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Model:
    """A loaded model: `ask` predicts a batch and raises StageError where it cannot; `columns` of the predictions with
    MLflow's types; `identity`: what it is, as its predictions depend on it; `pairs`: whether it takes pairs of
    texts."""

    ask: Callable[[Any], pd.DataFrame]
    columns: dict[str, str]
    identity: dict[str, object]
    pairs: bool = False


@dataclass(frozen=True)
class Predicted:
    """What was done: rows, those without a prediction, those predicted by earlier calls, and a summary."""

    rows: int
    failed: int
    kept: int
    summary: Summary


def predict_into(
    output: Path,
    questions: Questions,
    model: Model,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda done, of: None,
) -> Predicted:
    """Write every question with its prediction to `output`, whose ending is the format, whole or not at all.

    Until then finished batches lie in `output`.partial. The bytes do not depend on whether it was interrupted.
    Raises RecipeError, DataError and StageError.
    """
    schema = schema_of(model, questions)
    check_output(output, questions)
    writer = open_writer(output, questions.rows, schema)
    identity = {**model.identity, **questions.identity()}
    with Finished(Path(f"{output}.partial"), identity, schema, len(questions.rows), questions.batch) as finished:
        kept = finished.open(say)
        for number, start, stop in finished.missing():
            progress(start, len(questions.rows))
            finished.keep(number, _answer(questions, model, schema, start, stop))
        progress(len(questions.rows), len(questions.rows))
        tally = Tally()
        whole = finished.folder / f"whole{output.suffix.lower()}"
        _put_together(writer, whole, questions.rows, finished, tally)
        finished.deliver(whole, output)
    return Predicted(len(questions.rows), tally.failed, kept, tally.summary())


def check_output(output: Path, questions: Questions) -> None:
    """Raise RecipeError or DataError where the predictions cannot be written there."""
    if output.is_dir():
        raise RecipeError(f"{output}: a folder; name a file that ends in .csv, .jsonl or .parquet")
    check_ending(output)
    if not output.absolute().parent.is_dir():
        raise DataError(f"{output}: there is no folder {output.parent}; make it first")
    if output.exists() and output.samefile(questions.where):
        raise RecipeError(f"{output}: this is the input; write the predictions to another file")


def predict_stream(
    questions: Questions, model: Model, progress: Progress = lambda done, of: None
) -> Iterator[pd.DataFrame]:
    """Every question with its prediction, a batch at a time; nothing is kept."""
    schema = schema_of(model, questions)
    names = free_names(list(questions.rows.columns), schema.names)
    for start in range(0, len(questions.rows), questions.batch):
        progress(start, len(questions.rows))
        stop = min(start + questions.batch, len(questions.rows))
        yield join_predictions(questions.rows.iloc[start:stop], _answer(questions, model, schema, start, stop), names)
    progress(len(questions.rows), len(questions.rows))


def schema_of(model: Model, questions: Questions) -> pa.Schema:
    """Columns of the predictions, with the reason of a missing one where there may be some. Raises StageError."""
    odd = [name for name, kind in model.columns.items() if kind not in TYPES]
    if odd or not model.columns:
        raise StageError("the model does not say what it predicts; predict needs a model that Temper registered")
    fields = [(name, TYPES[kind]) for name, kind in model.columns.items()]
    return pa.schema([*fields, (ERROR, pa.string())] if questions.forgiving else fields)


def _answer(questions: Questions, model: Model, schema: pa.Schema, start: int, stop: int) -> pa.Table:
    given = questions.given(start, stop)
    reasons = [str(value) if isinstance(value, OSError) else "" for value in given]
    good = [place for place, reason in enumerate(reasons) if not reason]
    try:
        tables = [model.ask(questions.ask([given[place] for place in good]))] if good else []
    except StageError as error:
        tables = _one_by_one(questions, model, given, reasons, start)
        good = [place for place, reason in enumerate(reasons) if not reason]
        if len(good) == len(given):  # each by itself passes: it is not the questions
            raise error from None
    named = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(model.columns))
    if list(named.columns) != list(model.columns) or len(named) != len(good):
        raise StageError(
            f"the model gave {len(named)} predictions with the columns {list(named.columns)} "
            f"to {len(good)} questions and promised {list(model.columns)}"
        )
    predictions = named.set_index(pd.Index(good)).reindex(range(len(given)))
    if questions.forgiving:
        predictions[ERROR] = [reason or None for reason in reasons]
    return pa.Table.from_pandas(predictions, schema=schema, preserve_index=False).replace_schema_metadata(None)


def _one_by_one(
    questions: Questions, model: Model, given: list[Any], reasons: list[str], start: int
) -> list[pd.DataFrame]:
    """The predictions for a batch that the model refuses; `reasons` says which questions are at fault.

    Raises DataError naming the row where the input is one of which every row must have a prediction.
    """
    answered = []
    for place, value in enumerate(given):
        if reasons[place]:
            continue
        try:
            answered.append(model.ask(questions.ask([value])))
        except StageError as error:
            reason = str(error).removeprefix("row 0: ")
            if not questions.forgiving:
                raise DataError(f"{questions.where}: row {start + place + 1:,}: {reason}") from None
            reasons[place] = reason
    return answered


def _put_together(writer: Writer, whole: Path, rows: pd.DataFrame, finished: Finished, tally: Tally) -> None:
    with writer.writing(whole):
        waiting: list[pa.Table] = []
        begun = 0
        for part in finished.parts():
            waiting.append(part)
            tally.add(part)
            count = sum(map(len, waiting))
            if count >= AT_ONCE or begun + count == len(rows):
                writer.write(rows.iloc[begun : begun + count], pa.concat_tables(waiting))
                begun, waiting = begun + count, []
