"""Split prompts with two replies -> two sequences each of the recipe's chat template, masked and certified."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.preference_encodings import PreferenceEncode

from ...artifact import Artifact
from ...data.dialogues.messages import load_messages
from ...data.escape import code
from ...data.ledger import dropped_rows
from ...text.chat.call_proof import prove_calls
from ...text.chat.certificate import DialogueCertificate
from ...text.chat.encoding import DialogueEncoding
from ...text.chat.rows import make_encoding
from ...text.parts import Part, write_part
from ...text.tokenizer import TextTokenizer
from ..spec import EncodedRows, StageOutput
from .certificate import certify_pairs
from .reply_pairs import encode_pairs
from .rows import read_rows_of


def make_pair_encoding(
    section: PreferenceEncode, train: pd.DataFrame, folder: Path
) -> tuple[DialogueEncoding, TextTokenizer]:
    """The encoding and tokenizer of dialogues, saved in `folder` under this kind's name. Raises DataError."""
    encoding, tokenizer = make_encoding(section.as_dialogue(), train, folder)
    named: dict[str, Any] = {"kind": section.kind}  # a dialogue's in all else
    encoding = replace(encoding, **named)
    encoding.save(folder)
    return encoding, tokenizer


def encode_part(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, rows: pd.DataFrame
) -> tuple[Part, pd.DataFrame, DialogueCertificate]:
    """Encode rows (id, messages, rejected) with their certificate; each id stands twice, for the chosen side and for
    the rejected one behind it. Rows that give no pair are dropped. Raises DataError naming the row."""
    pairs, reasons = read_rows_of(rows)
    whole = rows[reasons == ""]
    ids = whole["id"].tolist()
    encoded = encode_pairs(encoding, tokenizer, pairs, ids)
    kept = [ids[number] for number in encoded.kept]
    certificate = certify_pairs(encoding, tokenizer, encoded, kept)
    gone = [dropped_rows(rows[reasons == reason], str(reason)) for reason in reasons[reasons != ""].unique()]
    gone += [dropped_rows(whole.iloc[[number]], reason) for number, reason in sorted(encoded.dropped.items())]
    sequences = [row for row in kept for _ in range(2)]
    part = Part(sequences, np.zeros(len(sequences), np.int64), encoded.encoded.encoded)
    return part, pd.concat([dropped_rows(rows.head(0), ""), *gone], ignore_index=True), certificate


def encode_rows(
    out: StageOutput, section: PreferenceEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part. Raises DataError, MaskError."""
    train = tables["train"]
    encoding, tokenizer = make_pair_encoding(section, train, out.data)
    ids, dropped, certificates = {}, [], {}
    for name, table in tables.items():
        part, gone, certificate = encode_part(encoding, tokenizer, table)
        certificate.require(name)
        write_part(part, out.data / f"{name}.parquet")
        ids[name], certificates[name] = part.ids, certificate.as_dict()
        dropped.append(gone)
    (out.data / "certificate.json").write_text(json.dumps(certificates, indent=1), encoding="utf-8")
    page = _describe(encoding, tokenizer, certificates)
    proof = prove_calls(encoding, dict(zip(train["id"], map(load_messages, train["messages"]), strict=True)))
    if unread := proof.describe():
        out.log(unread)
        page += f"\n\n{unread}."
    return EncodedRows(ids, pd.concat(dropped, ignore_index=True), page)


def _describe(encoding: DialogueEncoding, tokenizer: TextTokenizer, certificates: Mapping[str, Any]) -> str:
    """What was encoded, as Markdown."""
    ends = json.dumps(tokenizer.decode([[token] for token in encoding.end_ids]), ensure_ascii=False)
    lines = [
        "# encode (preference): the mask certificate holds for both sides",
        f"Vocabulary {tokenizer.size:,}, at most {encoding.max_length} tokens a sequence; a reply ends with one of "
        f"{code(ends)}.",
        "",
        "| part | pairs | tokens of both sides | supervised | calls of tools | sequences shortened |",
        "|---|" + "---:|" * 5,
    ]
    names = ("dialogues", "tokens", "supervised", "calls", "cut_rows")
    lines += [f"| {part} | {' | '.join(f'{c[name]:,}' for name in names)} |" for part, c in certificates.items()]
    return "\n".join(lines)
