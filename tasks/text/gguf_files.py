"""A GGUF file -> what transformers is given to read it, what of it is dequantised, and its chat template."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..artifact import digest_file
from ..data.errors import DataError
from .chat.chat_template import Template

ROLES = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
"""Names under which a chat template reads special tokens -> GGUF's for their ids."""
TEMPLATE = "tokenizer.chat_template"


def gguf_options(file: str | None) -> dict[str, str]:
    """Arguments of from_pretrained; none where the source is no GGUF file. Raises DataError without the extra."""
    if file is None:
        return {}
    try:
        import gguf  # noqa: F401
    except ImportError:
        raise DataError(f"{file}: GGUF files need the package gguf: pip install 'temper[gguf]'") from None
    return {"gguf_file": file}


@contextmanager
def without_bar() -> Iterator[None]:
    """Keep transformers from drawing a bar while it dequantises, which its own switch for bars does not reach."""
    from transformers import modeling_gguf_pytorch_utils as reading

    drawn = reading.tqdm
    reading.tqdm = partial(drawn, disable=True)
    try:
        yield
    finally:
        reading.tqdm = drawn


def dequantised(path: Path) -> dict[str, Any]:
    """Name and sha256 of a file, and how many of its tensors are of which type. Raises DataError."""
    types = Counter(tensor.tensor_type.name for tensor in _reader(path).tensors)
    return {"file": path.name, "sha256": digest_file(path), "types": dict(sorted(types.items()))}


def describe_types(known: dict[str, Any]) -> str:
    """A line of markdown about what `dequantised` says."""
    counts = ", ".join(f"{count} tensors of {name}" for name, count in known["types"].items())
    return f"- dequantised to float32 from {known['file']} (sha256 {known['sha256'][:16]}…): {counts}"


def gguf_template(path: Path) -> Template | None:
    """The chat template in a file, with the special tokens that it may name; None without one. Raises DataError."""
    gguf_options(path.name)
    fields = _reader(path).fields
    if TEMPLATE not in fields:
        return None
    tokens, texts = fields["tokenizer.ggml.tokens"], {}
    for role, name in ROLES.items():
        if known := fields.get(f"tokenizer.ggml.{name}_token_id"):
            texts[role] = str(tokens.contents(int(known.contents())))
    return Template(str(fields[TEMPLATE].contents()), texts)


def _reader(path: Path) -> Any:
    from gguf import GGUFReader

    try:
        return GGUFReader(path)
    except (OSError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise DataError(f"{path.name}: not a whole GGUF file ({str(error).splitlines()[0]}); fetch it again") from None
