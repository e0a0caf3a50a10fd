"""temper predict: a registered model's answer to a text, or to every row of a file."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .failures import failures

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")
BATCH = 512
"""Rows of a file that are scored between two steps of the progress bar."""


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME (its champion), NAME@alias or NAME/version.")],
    what: Annotated[
        str,
        typer.Argument(metavar="TEXT|FILE", help="A text; a CSV, TSV, JSONL, Parquet or Arrow file; an image."),
    ],
    column: Annotated[str, typer.Option("--column", help="Column of the file that holds the texts.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write CSV here instead of to stdout.")] = None,
) -> None:
    """Predict with a registered model: label and probabilities of a text or image, a number, a written text, the word
    for a [MASK] in a text; of a file of texts, a CSV row each.

    The model is loaded as anybody would load it, with mlflow.pyfunc.load_model, and carries its own preprocessing.
    """
    from rich.console import Console

    with failures():
        image = Path(what).suffix.lower() in IMAGES
        contents, rows = _read_image(Path(what)) if image else _read(what, column)
        with Console(file=sys.stderr).status(f"loading {model}"):
            from tasks.tracking.models import answer, load_model

            loaded = load_model(model, "image" if image else "text")
        if rows is None:
            _show(answer(loaded, contents))
        else:
            _write(_score(loaded, contents), rows, output)


def _read_image(path: Path) -> tuple[Any, None]:
    """A table with the bytes of one image file."""
    import pandas as pd

    from tasks.data.files import check_file

    check_file(path)
    return pd.DataFrame({"image": [path.read_bytes()]}), None


def _read(what: str, column: str) -> tuple[list[str], Any]:
    """The texts, and the file's table (None for a text given by hand)."""
    from configs.load import RecipeError

    path = Path(what)
    from tasks.data.tables import ENDINGS, read_table

    looks_like_file = path.suffix.lower() in ENDINGS and " " not in what
    if not (looks_like_file or (len(what) < 256 and path.is_file())):
        if not what.strip():
            raise RecipeError("the text is empty; give a text or a file")
        return [what], None
    from configs.sources import FileSource
    from tasks.data.files import DataError

    table = read_table(path, FileSource(kind="file", path=what))
    if column not in table.columns:
        raise RecipeError(f"{what}: no column {column!r} among {list(table.columns)}; name one with --column")
    missing = table.index[table[column].isna()]
    if len(missing):
        raise DataError(f"{what}: {len(missing)} rows have no text, the first is row {missing[0] + 1}; drop them")
    return table[column].astype(str).tolist(), table


def _score(loaded: Any, texts: list[str]) -> Any:
    import pandas as pd
    from rich.console import Console
    from rich.progress import track

    starts = range(0, len(texts), BATCH)
    bar = track(starts, "predicting", console=Console(file=sys.stderr), transient=True)
    return pd.concat([loaded.predict(texts[start : start + BATCH]) for start in bar], ignore_index=True)


def _write(answers: Any, rows: Any, output: Path | None) -> None:
    import pandas as pd

    clash = [name for name in answers.columns if name in rows.columns]
    answers = answers.rename(columns={name: f"predicted {name}" for name in clash})
    pd.concat([rows.reset_index(drop=True), answers], axis=1).to_csv(output or sys.stdout, index=False)
    if output:
        print(f"{len(answers):,} predictions in {output}", file=sys.stderr)


def _show(answers: Any) -> None:
    from rich.console import Console

    console, first = Console(highlight=False), answers.iloc[0]
    if "label" not in first:  # a written text, a number, a filled gap with its probability
        main, *others = first.items()
        told = main[1] if isinstance(main[1], str) else f"{main[1]:.6g}"
        console.print(told, style="bold", markup=False)
        for name, value in others:
            console.print(f"  {name:<16} {value:7.4f}")
        return
    console.print(f"[bold]{first['label']}[/]")
    for name, value in first.items():
        if str(name).startswith("probability of "):
            label = str(name).removeprefix("probability of ")
            console.print(f"  {label:<16} {value:7.4f} [green]{'█' * round(value * 30)}[/]")
