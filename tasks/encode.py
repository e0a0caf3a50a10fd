"""encode: split rows come in; token ids and -100-masked labels go out, with a tokenizer and a mask certificate."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.encodings import (
    READS,
    ClassifierEncode,
    DialogueEncode,
    Encode,
    GenerativeEncode,
    ImageEncode,
    MaskedEncode,
    RegressionEncode,
    Seq2SeqEncode,
)

from .artifact import Artifact
from .cached import cached_task
from .data.errors import DataError
from .output import Output

if TYPE_CHECKING:
    import pandas as pd

    from .text.models import AnyEncoding
    from .text.parts import Part
    from .text.tokenizer import TextTokenizer

EXAMPLES = 3
TOKENS = ("tokenizers", "transformers")
LIBRARIES = {"image": ("pillow",), "dialogue": (*TOKENS, "jinja2"), "masked": (*TOKENS, "numpy")}


def libraries(section: Encode) -> tuple[str, ...]:
    """What an encoding depends on besides the code; a tokenizer in a GGUF file adds what reads it."""
    gguf = getattr(getattr(section, "tokenizer", None), "gguf", None)
    return (*LIBRARIES.get(section.kind, TOKENS), *(("gguf",) if gguf else ()))


@cached_task(
    opens={
        "splits": (
            "train.parquet", "validation.parquet", "test.parquet", "images.parquet", "labels.json", "ledger.parquet",
        )
    },
    libraries=libraries,
)  # fmt: skip
def encode(out: Output, section: Encode, splits: Artifact) -> None:
    """Tokenise and mask texts or dialogues and certify every row, or decode images. Raises DataError, MaskError."""
    import pandas as pd

    from .data.flow_picture import describe_flow, draw_flow
    from .data.ledger import PARTS, read_ledger
    from .data.rows import read_rows
    from .data.sources.pretrained import keep_provenance

    tables = {part: read_rows(splits.file(f"{part}.parquet")) for part in PARTS}
    labels = json.loads(splits.file("labels.json").read_text(encoding="utf-8"))
    if READS[section.kind][0] not in tables["train"]:
        raise DataError(f"encode.kind {section.kind} needs rows with {READS[section.kind][0]}")
    match section:
        case ImageEncode():
            ids, dropped, about = _encode_images(out, section, tables, splits.file("images.parquet"), labels)
        case DialogueEncode():
            ids, dropped, about = _encode_dialogues(out, section, tables)
        case GenerativeEncode() | ClassifierEncode():
            ids, dropped, about = _encode_texts(out, section, tables, labels)
        case Seq2SeqEncode() | RegressionEncode() | MaskedEncode():
            ids, dropped, about = _encode_aims(out, section, tables)
    if len(dropped):
        said = _describe_dropped(section, pd.concat(tables.values()), dropped)
        _require_rest(section, {part: len(table) for part, table in tables.items()}, ids, said)
        out.say(f"{len(dropped):,} rows are dropped: {said}")
        about += f"\n\nDropped: {said}."
    kept = pd.Series([row for part in PARTS for row in dict.fromkeys(ids[part])], dtype="str")
    ledger = out.rows("encode", read_ledger(splits.file("ledger.parquet")), kept, dropped)
    start = keep_provenance(getattr(section, "tokenizer", None), out.records)
    out.summary("\n\n".join(part for part in (about, start, describe_flow(ledger)) if part))
    draw_flow(ledger, out.records / "rows.png")


Tables = dict[str, "pd.DataFrame"]
Kept = tuple[dict[str, list[str]], "pd.DataFrame", str]
"""Ids of the rows of each part, the dropped rows with their reasons, and a page about both."""


def _describe_dropped(section: Encode, rows: "pd.DataFrame", dropped: "pd.DataFrame") -> str:
    """Each reason with its count and EXAMPLES rows, and what would mend it."""
    from .data.drops import describe_reasons
    from .data.rows import content
    from .kinds.regression.encoding import other_notations

    shown = "target" if isinstance(section, RegressionEncode) else "file" if "file" in rows else content(rows)
    values = rows.set_index("id")[shown]
    said = describe_reasons(dropped["reason"], values.loc[dropped["id"]])
    if isinstance(section, RegressionEncode):
        texts = values.loc[dropped["id"]].dropna().tolist()
        said += other_notations(texts, section.thousands, section.decimal)
    return said


def _require_rest(section: Encode, before: dict[str, int], ids: dict[str, list[str]], said: str) -> None:
    """Raise DataError where a whole part is dropped, or more than the recipe allows."""
    for part, count in before.items():
        if count and not ids[part]:
            raise DataError(f"no {part} row is left to encode: {said}; change `encode`, or drop such rows in `clean`")
    total = sum(before.values())
    gone, limit = total - sum(len(set(kept)) for kept in ids.values()), getattr(section, "max_dropped", 1.0)
    if gone / total > limit:
        raise DataError(f"encode would drop {gone / total:.0%} of {total:,} rows, more than `encode.max_dropped` "
                        f"{limit:g}: {said}; change `encode` or raise it")  # fmt: skip


def _encode_texts(out: Output, section: GenerativeEncode | ClassifierEncode, tables: Tables, labels: list[str]) -> Kept:
    from .kinds.text_classification import encode as rows
    from .text.vocabulary import tokenizer_for

    tokenizer = tokenizer_for(section, tables["train"]["text"].tolist())
    return _encode_parts(out, rows, rows.make_encoding(section, tokenizer, labels), tokenizer, tables)


def _encode_aims(out: Output, section: Seq2SeqEncode | RegressionEncode | MaskedEncode, tables: Tables) -> Kept:
    from .kinds.masked_lm import encode as masked_rows
    from .kinds.regression import encode as regression_rows
    from .kinds.seq2seq import encode as seq2seq_rows

    form: Any = {"seq2seq": seq2seq_rows, "regression": regression_rows, "masked": masked_rows}[section.kind]
    encoding, tokenizer = form.make_encoding(section, tables["train"])
    return _encode_parts(out, form, encoding, tokenizer, tables)


def _encode_parts(out: Output, form: Any, encoding: "AnyEncoding", tokenizer: "TextTokenizer", tables: Tables) -> Kept:
    """Every part encoded, certified and written by one of the modules with encode_part and certify_part."""
    import pandas as pd

    from .text.parts import write_part

    parts, dropped, certificates = {}, [], {}
    for name, table in tables.items():
        part, gone = form.encode_part(encoding, tokenizer, table)
        if name == "train" and not len(part):
            raise DataError(f"no training row is left to encode: {', '.join(sorted(set(gone['reason'])))}")
        certificate = form.certify_part(encoding, tokenizer, part, table)
        certificate.require(name)
        write_part(part, out.data / f"{name}.parquet")
        parts[name], certificates[name] = part, certificate.as_dict()
        dropped.append(gone)
    tokenizer.save(out.data)
    encoding.save(out.data)
    (out.data / "certificate.json").write_text(json.dumps(certificates, indent=1), encoding="utf-8")
    about = _describe(encoding, tokenizer, parts["train"], certificates)
    return {name: part.ids for name, part in parts.items()}, pd.concat(dropped, ignore_index=True), about


def _encode_dialogues(out: Output, section: DialogueEncode, tables: Tables) -> Kept:
    import pandas as pd

    from .data.dialogues.messages import load_messages
    from .text.chat.call_proof import prove_calls
    from .text.chat.rows import describe, encode_part, make_encoding
    from .text.parts import write_part

    encoding, tokenizer = make_encoding(section, tables["train"], out.data)
    ids, dropped, certificates = {}, [], {}
    for name, table in tables.items():
        made = encode_part(encoding, tokenizer, table)
        made.certificate.require(name)
        write_part(made.part, out.data / f"{name}.parquet")
        ids[name], certificates[name] = made.part.ids, made.certificate.as_dict()
        dropped.append(made.dropped)
    (out.data / "certificate.json").write_text(json.dumps(certificates, indent=1), encoding="utf-8")
    train = tables["train"]
    about = describe(encoding, tokenizer, certificates)
    proof = prove_calls(encoding, dict(zip(train["id"], map(load_messages, train["messages"]), strict=True)))
    if said := proof.describe():
        out.say(said)
        about += f"\n\n{said}."
    return ids, pd.concat(dropped, ignore_index=True), about


def _encode_images(out: Output, section: ImageEncode, tables: Tables, images: Path, labels: list[str]) -> Kept:
    from .kinds.image_classification.encode import encode_parts

    encoding, ids, dropped = encode_parts(
        section, tables, images, labels, out.data, lambda done, of: out.progress(done, of, "decoding")
    )
    encoding.save(out.data)
    counts = ", ".join(f"{name} {len(rows):,}" for name, rows in ids.items())
    about = (
        f"# encode (image): {counts}\n\n{encoding.width} x {encoding.height} pixels, mode {encoding.mode}; "
        f"{f'the middle of {encoding.resize} x {encoding.resize}; ' if encoding.resize else ''}"
        f"pixels of 0 to 1 less {encoding.mean}, divided by {encoding.std}.\n\nUnreadable: {len(dropped):,}."
    )
    return ids, dropped, about


def _describe(
    encoding: "AnyEncoding", tokenizer: "TextTokenizer", train: "Part", certificates: dict[str, dict[str, Any]]
) -> str:
    from .text.token_view import sample

    lines = [
        f"# encode ({encoding.kind}): the mask certificate holds",
        f"Vocabulary {tokenizer.size:,}, at most {encoding.max_length} tokens a row.",
    ]
    if any(certificate["pad_is_eos"] for certificate in certificates.values()):
        lines.append("Pads are filled with the end-of-text id; attention and labels go by length, so real ones count.")
    lines += ["", "| part | rows | tokens | supervised | rows cut |", "|---|---:|---:|---:|---:|"]
    for name, c in certificates.items():
        lines.append(f"| {name} | {c['rows']:,} | {c['tokens']:,} | {c['supervised']:,} | {c['cut_rows']:,} |")
    lines += ["", "Samples; ▸ and ◂ stand around the supervised tokens, which alone are trained:", ""]
    return "\n".join(
        lines + [f"1. {sample(encoding, tokenizer, train, row)}" for row in range(min(EXAMPLES, len(train)))]
    )
