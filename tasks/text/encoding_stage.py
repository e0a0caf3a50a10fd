"""What kinds that read texts share in `encode`: every part encoded, certified and written, and a page about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.errors import DataError
from ..data.ledger import dropped_rows
from ..data.pairs import contents
from .certificate import Certificate, write_certificates
from .pairs import NO_ROOM, ONE_SIDED, Paired, ids_of_both, kept_lengths
from .parts import Part, write_part
from .tokenizer import TextTokenizer

EXAMPLES = 3
"""Rows shown on the page of the stage."""


@dataclass(frozen=True)
class TextEncoder:
    """How one kind encodes a part: rows in; the part and the dropped rows, its certificate, and a row as people read
    it, out."""

    encoding: Any
    tokenizer: TextTokenizer
    encode_part: Callable[[Any, TextTokenizer, pd.DataFrame], tuple[Part, pd.DataFrame]]
    certify_part: Callable[[Any, TextTokenizer, Part, pd.DataFrame], Certificate]
    sample: Callable[[Any, TextTokenizer, Part, int], str]


def encode_parts(
    encoder: TextEncoder, tables: Mapping[str, pd.DataFrame], folder: Path
) -> tuple[dict[str, list[str]], pd.DataFrame, str]:
    """Encode, certify and write every part below `folder`: ids by part, dropped rows (id, reason), a page.

    Raises DataError where no training row is left, MaskError where a certificate fails.
    """
    encoding, tokenizer = encoder.encoding, encoder.tokenizer
    parts, dropped, certificates = {}, [], {}
    for name, table in tables.items():
        part, gone = encoder.encode_part(encoding, tokenizer, table)
        if name == "train" and not len(part):
            raise DataError(f"no training row is left to encode: {', '.join(sorted(set(gone['reason'])))}")
        certificate = encoder.certify_part(encoding, tokenizer, part, table)
        certificate.require(name)
        write_part(part, folder / f"{name}.parquet")
        parts[name], certificates[name] = part, certificate
        dropped.append(gone)
    tokenizer.save(folder)
    encoding.save(folder)
    write_certificates(certificates, folder)
    page = _describe(encoder, parts["train"], certificates)
    return {name: part.ids for name, part in parts.items()}, pd.concat(dropped, ignore_index=True), page


def drop_one_sided(encoding: Paired, tokenizer: TextTokenizer, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows whose encoding has tokens of both texts, and the others as the ledger has them; rows of one text stay."""
    form = encoding.pair
    if form is None:
        return rows, dropped_rows(rows.head(0), "")
    sizes = (
        np.array([[len(ids) for ids in side] for side in ids_of_both(tokenizer, contents(rows))])
        .reshape(2, len(rows))
        .T
    )
    kept = [kept_lengths(a, b, encoding.max_length - form.special, form.truncation) for a, b in sizes.tolist()]
    empty, full = (sizes == 0).any(1), (np.array(kept).reshape(-1, 2) == 0).any(1)
    gone = [dropped_rows(rows[empty], ONE_SIDED), dropped_rows(rows[full & ~empty], NO_ROOM)]
    return rows[~empty & ~full], pd.concat(gone, ignore_index=True)


def _describe(encoder: TextEncoder, train: Part, certificates: Mapping[str, Certificate]) -> str:
    encoding, tokenizer = encoder.encoding, encoder.tokenizer
    lines = [
        f"# encode ({encoding.kind}): the mask certificate holds",
        f"Vocabulary {tokenizer.size:,}, at most {encoding.max_length} tokens a row.",
    ]
    if any(certificate.pad_is_eos for certificate in certificates.values()):
        lines.append("Pads are filled with the end-of-text id; attention and labels go by length, so real ones count.")
    lines += ["", "| part | rows | tokens | supervised | rows cut |", "|---|---:|---:|---:|---:|"]
    for name, c in certificates.items():
        lines.append(f"| {name} | {c.rows:,} | {c.tokens:,} | {c.supervised:,} | {c.cut_rows:,} |")
    lines += ["", "Samples; ▸ and ◂ stand around the supervised tokens, which alone are trained:", ""]
    return "\n".join(
        lines + [f"1. {encoder.sample(encoding, tokenizer, train, row)}" for row in range(min(EXAMPLES, len(train)))]
    )
