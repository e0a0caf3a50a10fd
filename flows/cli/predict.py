"""temper predict: a registered model's prediction for a text or an image, or for every row of a file or folder."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.text import Text

from configs.environment import quiet_prefect
from tasks.data.escape import terminal

from ..model_inputs import is_image, one_content, open_model, open_model_for, open_rows
from ..services.temporary_server import prefect_api
from .arguments import ModelVersion
from .console import Console
from .failures import failures
from .progress import row_bar
from .reading_options import (
    Encoding,
    Escape,
    Format,
    Header,
    Member,
    Pattern,
    Quoting,
    Reading,
    Separator,
    fixes_as_options,
    given_reading,
)

if TYPE_CHECKING:
    from tasks.inference.batch import Model
    from tasks.inference.inputs import Questions


What = Annotated[
    str,
    typer.Argument(
        metavar="TEXT|FILE|FOLDER",
        help="A text; a CSV, TSV, JSONL, Parquet or Arrow file; an image; a folder of images; .npz or .npy pixels.",
    ),
]

Column = Annotated[
    str | None,
    typer.Option("--column", help="Column of texts or dialogues; else `text`, the training data's own, `messages`."),
]
Pair = Annotated[
    str | None,
    typer.Option("--pair", help="Of pairs the second text, or its column; else `text_pair`, the training data's."),
]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write here, as .csv, .jsonl or .parquet, instead of CSV to stdout."),
]
RawCells = Annotated[
    bool, typer.Option("--raw-cells", help="Leave cells of CSV that a spreadsheet would compute (=1+1) unescaped.")
]


def command(
    model: ModelVersion,
    what: What,
    column: Column = None,
    output: OutputFile = None,
    as_flow: Annotated[bool, typer.Option("--flow", help="Record it as a flow run in Prefect; needs -o.")] = False,
    raw_cells: RawCells = False,
    pair: Pair = None,
    form: Format = None,
    encoding: Encoding = None,
    header: Header = None,
    separator: Separator = None,
    quoting: Quoting = None,
    escape: Escape = None,
    pattern: Pattern = None,
    member: Member = None,
) -> None:
    """Predict with a registered model: one text or image, or every row of a file or folder.

    Writes label and probabilities of a text or image, a number, a generated text, or the word for a [MASK]; of a file
    of texts or a folder of images a row each, next to the file's own columns. A pair of texts is TEXT and --pair.

    Of a file of dialogues, in any form that a recipe reads, a row gets the turn that a dialogue model generates: text
    in `reply`, calls as JSON in `calls`, next to the other columns. Assistant turns at its end are not given to it. A
    column `prompt`, `question` or `instruction` holds what a user asks. No tool is run; a reply has at most 256 tokens.

    With -o a call that was stopped continues where it was, as long as model and input are the same. The model is loaded
    by mlflow.pyfunc.load_model and carries its own preprocessing. The last eight options are keys of `download`.
    """
    from tasks.inference.outputs import raw

    with failures(), raw(raw_cells):
        reading = given_reading(
            format=form,
            encoding=encoding,
            header=header,
            separator=separator,
            quoting=quoting,
            escape=escape,
            pattern=pattern,
            member=member,
        )
        what, output = os.path.expanduser(what), output and output.expanduser()
        questions = _open(what, column, reading, output=output, as_flow=as_flow)
        if questions is None:
            _predict_one(model, what, pair)
        elif as_flow:
            _run_flow(_Asked(model, column, pair), questions, output, reading)
        else:
            _predict_rows(_Asked(model, column, pair), questions, output)


class _Asked(NamedTuple):  # column, pair: of texts and of second texts
    model: str
    column: str | None
    pair: str | None


def _open(what: str, column: str | None, reading: Reading, *, output: Path | None, as_flow: bool) -> "Questions | None":
    """The rows of a file or folder; None for one text or image, which takes no option of a table."""
    with fixes_as_options():
        questions = open_rows(what, column, reading)
    _say_notes(questions)
    if questions is None:
        _refuse_for_one(output, as_flow, reading)
    return questions


def _refuse_for_one(output: Path | None, as_flow: bool, reading: Reading) -> None:
    from configs.load import RecipeError

    if reading:
        raise RecipeError(f"--{next(iter(reading))} goes with a file of texts, not with one text or image")
    if output or as_flow:
        raise RecipeError(f"{'-o' if output else '--flow'} goes with a file or a folder, not with one text or image")


def _predict_one(model: str, what: str, pair: str | None) -> None:
    import pandas as pd

    from tasks.artifact import StageError
    from tasks.data.files import check_file

    given: Any = None
    if image := is_image(what):
        check_file(Path(what))
        given = pd.DataFrame({"image": [Path(what).read_bytes()]})
    with Console(stderr=True).status(f"loading {model}"):
        _, loaded = open_model(model, "image" if image else "text")
    try:
        predictions = loaded.ask(one_content(loaded, what, pair, model) if given is None else given)
    except StageError as error:
        place = f"{what}: " if image else ""
        raise StageError(place + str(error).removeprefix("row 0: ")) from None
    _show(predictions)


def _stream(asked: _Asked, questions: "Questions") -> None:
    from tasks.inference.batch import ERROR, predict_stream
    from tasks.inference.outputs import to_csv

    loaded, questions = _load(asked, questions)
    failed = 0
    with row_bar() as progress:
        for number, table in enumerate(predict_stream(questions, loaded, progress)):
            text = to_csv(table, header=number == 0)
            sys.stdout.write(terminal(text) if sys.stdout.isatty() else text)
            failed += int(table[ERROR].notna().sum()) if questions.forgiving else 0
    _say_counts(questions, len(questions.rows), failed, "")


def _predict_rows(asked: _Asked, questions: "Questions", output: Path | None) -> None:
    if output is None:
        _stream(asked, questions)
        return
    from tasks.inference.batch import check_output, predict_into

    check_output(output, questions)
    loaded, questions = _load(asked, questions)
    with row_bar() as progress:
        done = predict_into(output, questions, loaded, _say, progress)
    _say_counts(questions, done.rows, done.failed, f" in {output}")


def _run_flow(asked: _Asked, questions: "Questions", output: Path | None, reading: Reading) -> None:
    from configs.load import RecipeError

    if output is None:
        raise RecipeError("--flow needs -o: what a recorded run predicts is a file")
    from tasks.inference.batch import check_output

    check_output(output, questions)
    quiet_prefect()  # what fails is reported once, by `failures`

    _say("recorded as a flow run; its progress is an artifact in Prefect")
    with prefect_api("Prefect"), fixes_as_options():
        from ..predict import predict

        place, target = str(Path(questions.where).absolute()), str(output.absolute())
        done = predict(asked.model, place, target, asked.column, dict(reading), asked.pair)
    kept = f" ({done['kept']:,} rows were predicted before)" if done["kept"] else ""
    _say_counts(questions, done["rows"], done["failed"], f" in {output}{kept}")


def _say_counts(questions: "Questions", rows: int, failed: int, where: str) -> None:
    ignored = getattr(questions, "ignored", 0)
    parts = [f"{rows - failed:,} predictions{where}"]
    what = "files could not be read" if questions.content == "image" else "rows have no reply"
    parts += [f"{failed:,} {what}, as the column `error` says"] if failed else []
    parts += [f"{ignored:,} files were left out: no images by their names"] if ignored else []
    _say("; ".join(parts))


def _load(asked: _Asked, questions: "Questions") -> "tuple[Model, Questions]":
    with Console(stderr=True).status(f"loading {asked.model}"), fixes_as_options():
        _, loaded, rows = open_model_for(asked.model, questions, asked.column, asked.pair)
    if rows is not questions:
        _say_notes(rows, known=getattr(questions, "notes", ()))
    return loaded, rows


def _say_notes(questions: "Questions | None", known: tuple[str, ...] = ()) -> None:
    for note in getattr(questions, "notes", ()):
        if note not in known:
            _say(note)


def _say(text: str) -> None:
    Console(stderr=True).print(text, soft_wrap=True)


def _show(predictions: Any) -> None:
    console, first = Console(), predictions.iloc[0]
    if "label" not in first:  # a written text, a number, predicted tokens with their probability
        main, *others = first.items()
        console.print(main[1] if isinstance(main[1], str) else f"{main[1]:.6g}", style="bold")
        for name, value in others:
            if not str(name).startswith("probability of "):
                console.print(f"  {name:<16} {value:7.4f}")
    else:
        console.print(str(first["label"]), style="bold")
    for name, value in first.items():
        if str(name).startswith("probability of "):
            label = str(name).removeprefix("probability of ")
            console.print(Text(f"  {label:<16} {value:7.4f} ") + Text("█" * round(value * 30), "good"))
