"""A registered model's folder -> a folder of the same files that transformers alone reads too."""

import shutil
from pathlib import Path
from typing import Any

from transformers import AutoConfig, GenerationConfig

from ...kinds.spec import Kind
from ...text.chat.predictor import LONGEST
from ...text.token_types import takes_token_types
from .plain_tokenizer import plain_tokenizer
from .questions import reads_marks
from .template import self_contained

CARD = "README.md"
REWRITTEN = ("tokenizer.json", "generation_config.json")
"""A registered model's files that a plain folder has otherwise: with special tokens around a row, and with its ends."""


def kept(folder: Path) -> list[str]:
    """Names of a registered model's files that a plain folder has to the byte, its weights among them."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.name not in REWRITTEN)


def write_plain(kind: Kind, predictor: Any, origin: Path, folder: Path, card: str) -> None:
    """Write the folder. card: its README.md."""
    folder.mkdir(parents=True)
    for name in (*kept(origin), "tokenizer.json"):
        shutil.copyfile(origin / name, folder / name)
    encoding = predictor.encoding
    typed = takes_token_types(predictor.net.module.model.forward) if kind.exports else False
    template = self_contained(encoding) if kind.chats else None
    tokenizer = plain_tokenizer(predictor, origin, typed=typed, marked=reads_marks(kind), chat_template=template)
    tokenizer.save_pretrained(folder)
    if not kind.exports:
        _generation(kind, encoding, origin).save_pretrained(folder)
    (folder / CARD).write_text(card, encoding="utf-8")


def _generation(kind: Kind, encoding: Any, origin: Path) -> GenerationConfig:
    """How a writer writes: the likeliest token at each place, up to its ends."""
    ends = list(encoding.end_ids) if kind.chats else encoding.special["eos"]
    start = {} if kind.chats else {"decoder_start_token_id": AutoConfig.from_pretrained(origin).decoder_start_token_id}
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=LONGEST if kind.chats else encoding.max_target,
        eos_token_id=ends,
        pad_token_id=encoding.pad_id,
        **start,
    )
