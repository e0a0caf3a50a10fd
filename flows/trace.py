"""temper trace: one row's whole way, from the source to the model's answer."""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .failures import failures
from .run import Overrides, RecipeFile

if TYPE_CHECKING:
    import pandas as pd

    from configs.schema import Recipe
    from tasks.artifact import Artifact

SHOWN = 8
"""Rows listed where a text fits several."""
WIDTH = 300
"""Characters of a text that are shown."""


def command(
    recipe: RecipeFile,
    row: Annotated[str, typer.Argument(metavar="ROW", help="Number in the source (from 1), id, text or part of it.")],
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Show one row's way: raw, expectations, cleaned, split, tokens and labels, the model's answer.

    Runs the stages up to `encode` where they are not cached. The answer is shown where the model is trained already;
    nothing is trained for it.
    """
    from configs.load import load_recipe

    with failures():
        loaded = load_recipe(recipe, overrides or [])
        from tasks.store.events import heard_by

        from .spine import perform_until
        from .telling import Teller

        with Teller("reading") as teller, heard_by(teller.hear):
            stages = {name: outcome.result for name, outcome in perform_until(loaded, "encode").items()}
        way = follow(loaded, stages, row)
    print(json.dumps(way, ensure_ascii=False, indent=1)) if as_json else _show(way)


def follow(recipe: "Recipe", stages: "dict[str, Artifact]", wanted: str) -> dict[str, Any]:
    """A row's facts per stage; `end` says where it is now. Raises RecipeError where no row, or more than one, fits."""
    from tasks.data.ledger import read_ledger
    from tasks.data.rows import read_rows

    raw = read_rows(stages["download"].file("rows.parquet"))
    at = find_row(raw, wanted)
    seen = raw.loc[at].dropna().to_dict()
    identity = str(seen["id"])
    ledger = read_ledger(stages["encode"].file("ledger.parquet")).iloc[at]
    one = Row(identity, str(seen.get("text", seen.get("file", ""))), str(seen.get("label", "")), seen.get("image"))
    dropped = ledger["state"] == "dropped"
    end = {"state": str(ledger["state"])} | ({"stage": str(ledger["stage"]), "reason": str(ledger["reason"])}
                                             if dropped else {})  # fmt: skip
    way: dict[str, Any] = {"id": identity, "number": at + 1, "end": end}
    way["raw"] = {name: _plain(value) for name, value in seen.items() if name != "id"}
    way["validate"] = _checks(stages["validate"], one)
    reached = ("validate", "clean", "split", "encode")
    last = reached.index(ledger["stage"]) if dropped else len(reached)
    if last >= reached.index("clean"):
        way["clean"] = _cleaned(stages["clean"], one)
    if last >= reached.index("split"):
        way["split"] = _placed(recipe, stages, one, str(ledger["state"]))
    if not dropped:
        way["encode"] = _encoded(stages["encode"], one, str(ledger["state"]))
        way["answer"] = _answer(recipe, one, way["clean"]["text"] if "clean" in way else one.text)
    return way


@dataclass(frozen=True)
class Row:
    """The row that is followed."""

    id: str
    text: str
    label: str
    image: str | None


def find_row(raw: "pd.DataFrame", wanted: str) -> int:
    """Position of the row of this number (from 1), id, text, or unique part of a text. Raises RecipeError."""
    from configs.load import RecipeError

    if wanted.isdecimal() and 1 <= int(wanted) <= len(raw):
        return int(wanted) - 1
    for column, exact in (("id", True), ("text", True), ("file", True), ("text", False), ("file", False)):
        if column not in raw:
            continue
        fits = raw[column] == wanted if exact else raw[column].str.contains(wanted, regex=False, na=False)
        found = fits.to_numpy().nonzero()[0]
        if len(found) == 1:
            return int(found[0])
        if len(found) > 1:
            listed = "".join(f"\n  {raw['id'].iloc[at]}  {str(raw[column].iloc[at])[:80]}" for at in found[:SHOWN])
            more = f"\n  … and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
            raise RecipeError(f"{len(found):,} rows fit {wanted!r}; give an id:{listed}{more}")
    content = raw["text" if "text" in raw else "file"].dropna().astype(str)
    known = [*raw["id"], *content] if len(raw) <= 20_000 else []
    near = difflib.get_close_matches(wanted, known, 1, 0.5)
    hint = f"; did you mean {near[0][:100]!r}?" if near else ""
    raise RecipeError(f"no row of {len(raw):,} has the number, id or text {wanted!r}{hint}")


def _records(artifact: "Artifact", name: str) -> "pd.DataFrame | None":
    """A table among a stage's records."""
    import pandas as pd

    path: Path = artifact.records / name
    return pd.read_parquet(path) if path.is_file() else None


def _of(table: "pd.DataFrame | None", row: Row) -> list[dict[str, Any]]:
    if table is None:
        return []
    return [{str(name): _plain(value) for name, value in line.items()} for line in
            table[table["id"] == row.id].to_dict("records")]  # fmt: skip


def _plain(value: Any) -> Any:
    """JSON-ready."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, str | int | float | bool) else str(value)


def _checks(validate: "Artifact", row: Row) -> dict[str, Any]:
    return {
        name: [line["expectation"] for line in _of(_records(validate, f"{name}.parquet"), row)]
        for name in ("quarantined", "warned")
    }


def _cleaned(clean: "Artifact", row: Row) -> dict[str, Any]:
    from tasks.data.rows import read_rows

    rows = read_rows(clean.file("rows.parquet"))
    kept = rows[rows["id"] == row.id]
    text = str(kept["text"].iloc[0]) if len(kept) and "text" in kept else row.text
    others = [line["other"] for line in _of(_records(clean, "partners.parquet"), row)]
    listed = sorted(
        path.stem for path in clean.records.glob("*.parquet") if path.stem != "partners" and _of(
            _records(clean, path.name), row)
    )  # fmt: skip
    return {"text": text, "changed": text != row.text, "repeats": others, "listed by": listed}


def _placed(recipe: "Recipe", stages: "dict[str, Artifact]", row: Row, state: str) -> dict[str, Any]:
    from configs.splitting import GivenSplit, HashSplit
    from tasks.data.repeats import content
    from tasks.data.rows import read_rows
    from tasks.data.splitting import positions

    section = recipe.split
    rows = read_rows(stages["clean"].file("rows.parquet"))
    here = rows[rows["id"] == row.id]
    why = "its time" if not isinstance(section, GivenSplit | HashSplit) else "the source's own split"
    if isinstance(section, HashSplit):
        keys = here["group"] if section.by == "group" else here[content(rows)]
        place = float(positions(keys, section.seed)[0])
        bounds = f"test below {section.test:g}, validation below {section.test + section.validation:g}"
        why = f"its {section.by}'s hash is {place:.4f} ({bounds})"
        why += ", by rank within its label" if section.exact else ""
    copies = [f"{line['other']} ({line['similarity']:.2f})" for line in _of(_records(stages["split"],
                                                                            "near_copies.parquet"), row)]  # fmt: skip
    return {"part": state, "because of": why, "near-copy of": copies}


def _encoded(encoded: "Artifact", row: Row, part: str) -> dict[str, Any]:
    if encoded.manifest()["section"]["kind"] == "image":
        encoding = json.loads(encoded.file("encoding.json").read_text(encoding="utf-8"))
        return {"pixels": f"{encoding['width']} x {encoding['height']}, mode {encoding['mode']}", "class": row.label}
    from tasks.text.encoding import load_encoding
    from tasks.text.parts import read_part
    from tasks.text.tokenizer import load_tokenizer

    encoding = load_encoding(encoded.file("encoding.json"))
    tokenizer = load_tokenizer(encoded.file("tokenizer.json").parent, encoding.special)
    rows = read_part(encoded.file(f"{part}.parquet"))
    at = rows.ids.index(row.id)
    start, stop = rows.encoded.offsets[at], rows.encoded.offsets[at + 1]
    ids = rows.encoded.ids[start:stop].tolist()
    return {
        "tokens": tokenizer.decode([[token] for token in ids]),
        "ids": ids,
        "labels": rows.encoded.labels[start:stop].tolist(),
        "cut": int(rows.encoded.cut[at]),
        "class": encoding.labels[rows.class_ids[at]],
    }


def _answer(recipe: "Recipe", row: Row, text: str) -> dict[str, Any]:
    """From the report for a test row, else from the trained model; empty where it is not trained."""
    import pandas as pd
    import pyarrow.parquet as pq

    from .plan import plan

    cached = plan(recipe, ask=False)[2]
    if "evaluate" in cached:
        answers = pq.read_table(cached["evaluate"].file("predictions.parquet")).to_pandas()
        mine = answers[answers["id"] == row.id]
        if len(mine):
            return {"predicted": str(mine["predicted"].iloc[0]), "p": float(max(mine["probabilities"].iloc[0])),
                    "from": "the report on the test rows"}  # fmt: skip
    if "train" not in cached:
        return {}
    from tasks.learn.domains import open_domain

    folder = cached["train"].file("config.json").parent
    domain = open_domain(folder)
    here = pd.DataFrame({domain.content: [text if row.image is None else row.image]})
    contents = domain.contents(here, cached["clean"].file("images.parquet"))
    found = domain.predictor(folder).predict(contents, 1, lambda done, of: None).probabilities[0]
    return {"predicted": domain.labels[found.argmax()], "p": float(found.max()), "from": "the trained model"}


def _show(way: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    from .mask import colour_pieces

    console = Console(highlight=False)

    def line(stage: str, text: Any) -> None:
        console.print(Text(f"{stage:<9} ", "bold cyan") + (text if isinstance(text, Text) else Text(str(text))))

    console.print(Text(f"row {way['number']:,}  {way['id']}", "bold"))
    for name, value in way["raw"].items():
        line("raw" if name in ("text", "file") else "", f"{name}: {str(value)[:WIDTH]!r}")
    checks = way["validate"]
    line("validate", "; ".join(f"{kind}: {', '.join(found)}" for kind, found in checks.items() if found) or "holds all")
    if "clean" in way:
        facts = way["clean"]
        line("clean", f"now {facts['text'][:WIDTH]!r}" if facts["changed"] else "unchanged")
        if facts["repeats"]:
            line("", f"repeats or contradicts {', '.join(facts['repeats'])}")
        if facts["listed by"]:
            line("", f"listed by {', '.join(facts['listed by'])}")
    if "split" in way:
        facts = way["split"]
        line("split", f"{facts['part']}: {facts['because of']}")
        if facts["near-copy of"]:
            line("", f"near-copy of {', '.join(facts['near-copy of'])}")
    if "encode" in way:
        facts = way["encode"]
        shown = colour_pieces(facts["tokens"], facts["labels"]) if "tokens" in facts else Text(facts["pixels"])
        line("encode", shown + Text(f"  → {facts['class']}", "bold"))
        answer = way["answer"]
        line("answer", f"{answer['predicted']} with p {answer['p']:.4f}, from {answer['from']}" if answer
             else "the model is not trained yet")  # fmt: skip
    end = way["end"]
    line("end", f"dropped in {end['stage']}: {end['reason']}" if "reason" in end else end["state"])
