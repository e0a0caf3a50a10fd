"""encode: split rows come in; token ids and -100-masked labels go out, with a tokenizer and a mask certificate."""

from typing import TYPE_CHECKING

from configs.kinds import Encode

from .artifact import Artifact
from .cached import cached_task
from .data.errors import DataError
from .data.sources.pretrained import keep_provenance
from .kinds.spec import EncodedRows, open_encoder, open_kind
from .output import Output

if TYPE_CHECKING:
    import pandas as pd


def libraries(section: Encode) -> tuple[str, ...]:
    """What an encoding depends on apart from the code; a tokenizer in a GGUF file adds what reads it."""
    gguf = getattr(getattr(section, "tokenizer", None), "gguf", None)
    return (*open_kind(section.kind).libraries, *(("gguf",) if gguf else ()))


@cached_task(
    makes="encoded",
    opens={
        "splits": (
            "train.parquet",
            "validation.parquet",
            "test.parquet",
            "images.parquet",
            "labels.json",
            "ledger.parquet",
        )
    },
    libraries=libraries,
    kind=("encode",),
)
def encode(out: Output, section: Encode, splits: Artifact) -> None:
    """Tokenise and mask texts or dialogues and certify every row, or decode images. Raises DataError, MaskError."""
    import pandas as pd

    from .data.flow_picture import describe_flow, draw_flow
    from .data.ledger import PARTS, read_ledger
    from .data.rows import read_rows

    tables = {part: read_rows(splits.file(f"{part}.parquet")) for part in PARTS}
    if section.traits.content not in tables["train"]:
        raise DataError(f"encode.kind {section.kind} needs rows with {section.traits.content}")
    encoded = open_encoder(section.kind).encode_rows(out, section, tables, splits)
    page = encoded.page
    if len(encoded.dropped):
        reasons = _describe_dropped(encoded, pd.concat(tables.values()))
        _require_rest(section, {part: len(table) for part, table in tables.items()}, encoded.ids, reasons)
        out.log(f"{len(encoded.dropped):,} rows are dropped: {reasons}")
        page += f"\n\nDropped: {reasons}."
    kept = pd.Series([row for part in PARTS for row in dict.fromkeys(encoded.ids[part])], dtype="str")
    ledger = out.rows("encode", read_ledger(splits.file("ledger.parquet")), kept, encoded.dropped)
    start = keep_provenance(getattr(section, "tokenizer", None), out.records)
    out.summary("\n\n".join(part for part in (page, start, describe_flow(ledger)) if part))
    draw_flow(ledger, out.records / "rows.png")


def _describe_dropped(encoded: EncodedRows, rows: "pd.DataFrame") -> str:
    """Each reason with its count and examples, and what would fix it."""
    from .data.drops import describe_reasons
    from .data.rows import content

    shown = encoded.shown or ("file" if "file" in rows else content(rows))
    values = rows.set_index("id")[shown].loc[encoded.dropped["id"]]
    return describe_reasons(encoded.dropped["reason"], values) + encoded.hint


def _require_rest(section: Encode, before: dict[str, int], ids: dict[str, list[str]], reasons: str) -> None:
    """Raise DataError where a whole part is dropped, or more than the recipe allows."""
    for part, count in before.items():
        if count and not ids[part]:
            raise DataError(
                f"no {part} row is left to encode: {reasons}; change `encode`, or drop such rows in `clean`"
            )
    total = sum(before.values())
    gone, limit = total - sum(len(set(kept)) for kept in ids.values()), getattr(section, "max_dropped", 1.0)
    if gone / total > limit:
        raise DataError(
            f"encode would drop {gone / total:.0%} of {total:,} rows, more than `encode.max_dropped` "
            f"{limit:g}: {reasons}; change `encode` or raise it"
        )
