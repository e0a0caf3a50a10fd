"""The reference model's log-probabilities of encoded pairs, computed once.

The reference is what training starts from: the base model without adapters, or the initial weights.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import AutoModelForCausalLM

from configs.reference import Reference

from ...text.chat.encoding import load_dialogue_encoding
from ...text.encoding import FILE
from ...text.models import Form, build_model
from ...text.parts import Part, read_part
from ...text.supervision import require_causal
from ...text.tokenizer import load_tokenizer
from ..referee import ScratchOutput
from .feed import ComparedPart
from .forward import PreferredReplies
from .log_probabilities import Batches, log_probabilities

FORM = Form(AutoModelForCausalLM, PreferredReplies, check=require_causal)
PARTS = ("train", "validation")


def reference_model(section: Reference, folder: Path) -> Any:
    """The model that training started from, with the encoding and tokenizer in `folder`, on the GPU where there is one.
    Raises DataError."""
    encoding = load_dialogue_encoding(folder / FILE)
    tokenizer = load_tokenizer(folder, encoding.special)
    model: Any = build_model(section.model, replace(FORM, base=section.base), encoding, tokenizer, section.seed)
    if not getattr(model, "is_quantized", False):
        model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    return model.eval()


def write_reference(out: ScratchOutput, section: Reference, folder: Path) -> None:
    """Score the training and validation pairs of an encoded artifact: a table (id, log_probability) per part.

    Raises DataError where the model cannot be built.
    """
    encoding = load_dialogue_encoding(folder / FILE)
    model = reference_model(section, folder)
    for name in PARTS:
        part = read_part(folder / f"{name}.parquet")
        done = partial(_report, out, f"scoring {name}")
        values = log_probabilities(
            model,
            Batches(part.encoded, encoding.pad_id, 2 * section.batch_size),
            precision=section.precision,
            scratch=out.scratch / name,
            done=done,
        )
        table = pa.table({"id": pa.array(part.ids, pa.string()), "log_probability": pa.array(values, pa.float64())})
        pq.write_table(table, out.data / f"{name}.parquet", compression="zstd")


def _report(out: ScratchOutput, what: str, done: int, of: int) -> None:
    out.progress(done, of, what)


def join(parts: Mapping[str, Part], folder: Path) -> dict[str, ComparedPart]:
    """Encoded parts with what `write_reference` wrote of them."""
    joined = {}
    for name, part in parts.items():
        table = pq.read_table(folder / f"{name}.parquet")
        if table["id"].to_pylist() != part.ids:
            raise ValueError(f"{folder / name} is of other rows")
        joined[name] = ComparedPart(**vars(part), reference=table["log_probability"].to_numpy())
    return joined
