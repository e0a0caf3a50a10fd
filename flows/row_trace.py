"""One row's way through the stages: artifacts and a row's position in the source -> facts per stage, JSON-ready."""

import json
from typing import TYPE_CHECKING, Any

from configs.added_rows import MADE_BY

from .raw_row import IMAGES, Row, plain, row_at
from .row_prediction import answer
from .trace_document import Checks, Cleaned, Encoded, End, Other, Placed, Way

if TYPE_CHECKING:
    import pandas as pd

    from configs.schema import Recipe
    from tasks.artifact import Artifact

TEXTS = ("text", "text_pair")
"""Columns of texts that cleaning may change."""


def follow(recipe: "Recipe", stages: "dict[str, Artifact]", at: int) -> Way:
    """The facts of the raw row at this position (from 0) in each stage that it reached; `end` says where it is now."""
    row = row_at(stages, at)
    end: End = {"state": row.state}
    if row.state == "dropped":
        end = {**end, "stage": row.stage, "reason": row.reason}
    image = row.raw.get("image")
    raw = row.raw | ({} if image is None else {"looks": _image(stages["download"], str(image))})
    way: Way = {"id": row.id, "number": at + 1, "end": end, "source": _source(stages["download"]), "raw": raw}
    if row.reached("validate"):
        way["validate"] = _checks(stages["validate"], row)
    if row.reached("clean"):
        way["clean"] = _cleaned(stages["clean"], row)
    if row.reached("split"):
        way["split"] = _placed(recipe, stages, row)
    if row.state != "dropped":
        way["encode"] = encoded_facts(stages["encode"], row)
        texts = {name: str(text) for name, text in way["clean"].items() if name in TEXTS and text is not None}
        way["answer"] = answer(recipe, row, texts)
    return way


def _records(artifact: "Artifact", name: str, row: Row) -> list[dict[str, Any]]:
    """The row's lines of a table with an `id` among a stage's records; none where the stage left no such table."""
    import pandas as pd

    path = artifact.records / name
    if not path.is_file():
        return []
    table = pd.read_parquet(path)
    mine = table[table["id"] == row.id] if "id" in table else table[:0]
    return [{str(name): plain(value) for name, value in line.items()} for line in mine.to_dict("records")]


def _other(row: Row, identity: str) -> Other:
    """Another row, with its raw text (or file)."""
    return {"id": identity, "content": str(row.contents.get(identity, ""))}


def _source(download: "Artifact") -> str:
    path = download.records / "provenance.json"
    if not path.is_file():
        return ""
    about = json.loads(path.read_text(encoding="utf-8"))
    return f"{about['kind']}: {about['where']}, read {about['when']}"


def _image(download: "Artifact", digest: str) -> str:
    """What an image file is by its own account."""
    import io

    import pyarrow.parquet as pq
    from PIL import Image, UnidentifiedImageError

    bytes_column = pq.read_table(download.file(IMAGES), filters=[("image", "==", digest)])["bytes"]
    data = bytes_column[0].as_py()
    try:
        with Image.open(io.BytesIO(data)) as image:
            looks = f"{image.format} of {image.width} x {image.height} pixels, mode {image.mode}"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        looks = "unreadable"
    return f"{looks}, {len(data):,} bytes"


def _checks(validate: "Artifact", row: Row) -> Checks:
    quarantined, warned = (
        [str(line["expectation"]) for line in _records(validate, f"{name}.parquet", row)]
        for name in ("quarantined", "warned")
    )
    return {"quarantined": quarantined, "warned": warned}


def _cleaned(clean: "Artifact", row: Row) -> Cleaned:
    """The text as it was left, of a dropped row as it was dropped (none for images, and where it is missing)."""
    import pandas as pd

    from tasks.data.rows import read_rows

    rows = read_rows(clean.file("rows.parquet"))
    kept = rows[rows["id"] == row.id]
    left = kept.to_dict("records") or _records(clean, "dropped.parquet", row)
    text, second = (next((str(line[name]) for line in left if not pd.isna(line.get(name))), None) for name in TEXTS)
    tables = sorted(path for path in clean.records.glob("*.parquet") if path.stem not in ("partners", "dropped"))
    facts: Cleaned = {
        "text": text,
        "changed": (text is not None and text != row.text) or (second or row.second) != row.second,
        "repeats": [_other(row, line["other"]) for line in _records(clean, "partners.parquet", row)],
        "listed by": [path.stem for path in tables if _records(clean, path.name, row)],
    }
    return facts if second is None else {**facts, "text_pair": second}


def _placed(recipe: "Recipe", stages: "dict[str, Artifact]", row: Row) -> Placed:
    """The part, or the one that a dropped row would have been in, and what decided it."""
    from tasks.data.ledger import read_ledger
    from tasks.data.rows import read_rows

    rows = read_rows(stages["clean"].file("rows.parquet"))
    copies = _records(stages["split"], "near_copies.parquet", row)
    ledger = read_ledger(stages["split"].file("ledger.parquet"))  # not the last one: encode may drop the row
    state = str(ledger.loc[ledger["id"] == row.id, "state"].iloc[0])
    part = next((line["part"] for line in copies if "part" in line), state)
    return {
        "part": part,
        "because of": "added for training" if MADE_BY in row.raw else _why(recipe.split, rows[rows["id"] == row.id]),
        "near-copy of": [
            {**_other(row, line["other"]), "part": line.get("other_part"), "similarity": line["similarity"]}
            for line in copies
        ],
    }


def _why(section: Any, here: "pd.DataFrame") -> str:
    from configs.splitting import GivenSplit, TimeSplit
    from tasks.data.splitting import placed_by, positions

    if isinstance(section, GivenSplit):
        return "the source's own split"
    if isinstance(section, TimeSplit):
        early = "" if section.validation_from is None else f"validation from {section.validation_from}, "
        return f"its time {here['time'].iloc[0]} ({early}test from {section.test_from})"
    bounds = f"test below {section.test:g}, validation below {section.test + section.validation:g}"
    if section.exact:
        return f"the rank of its hash within its label ({bounds})"
    grouped = section.by == "group"
    place = float(positions(here["group"] if grouped else placed_by(here), section.seed)[0])
    return f"{'its group' if grouped else 'it'} hashes to {place:.4f} ({bounds})"


def encoded_facts(encoded: "Artifact", row: Row) -> Encoded:
    """Tokens, ids, labels and class of a row that is in a part; of an image the size and class."""
    from tasks.kinds.spec import kind_in, open_kind, open_view

    folder = encoded.file("encoding.json").parent
    kind = open_kind(kind_in(folder))
    if not kind.tokens:
        encoding = json.loads(encoded.file("encoding.json").read_text(encoding="utf-8"))
        pixels = f"{encoding['width']} x {encoding['height']}, mode {encoding['mode']}"
        return {"pixels": pixels, "class": str(row.raw["label"])}
    from tasks.text.parts import read_part

    part = read_part(encoded.file(f"{row.state}.parquet"))
    at = part.ids.index(row.id)
    shown = open_view(folder)(part, at)
    return {
        "tokens": shown.pieces,
        "ids": shown.ids,
        "labels": shown.labels,
        "cut": int(part.encoded.cut[at]),
        "class": shown.truth,
        "by_turn": kind.chats,
    }
