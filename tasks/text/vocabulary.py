"""A recipe's tokenizer source -> TextTokenizer: learnt here, read from files, or fetched from the Hub."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from configs.models import HubTokenizer, LocalTokenizer, RegisteredTokenizer, TokenizerSource, TrainedTokenizer

from ..data.errors import DataError
from ..data.sources import hub
from ..data.sources.pretrained import pretrained_folder
from .encoding import FILE as ENCODING
from .gguf_files import gguf_options
from .tokenizer import FILE, TextTokenizer, plain_tokenizer

END, PAD = "<|endoftext|>", "<|pad|>"
ROLES = {
    "eos": (END, "</s>", "[EOS]"),
    "pad": (PAD, "[PAD]", "<pad>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
}
"""Names under which vocabularies keep their special tokens, where nothing else says."""


class Framed(Protocol):
    """A section of `encode` with a tokenizer."""

    @property
    def tokenizer(self) -> TokenizerSource:
        """Where it comes from."""


def tokenizer_for(section: Framed, texts: list[str], frame: Sequence[str] = ()) -> TextTokenizer:
    """The tokenizer of an encoding, learnt from the training texts where the recipe states it. Raises DataError.

    frame: special tokens between which the kind's rows stand; a tokenizer that is learnt for it gets them.
    """
    learnt = isinstance(section.tokenizer, TrainedTokenizer)
    return make_tokenizer(section.tokenizer, texts, frame if learnt else ())


def make_tokenizer(source: TokenizerSource, texts: list[str], added: Sequence[str] = ()) -> TextTokenizer:
    """The tokenizer of a recipe; `texts` are the training texts, the only ones anything is learnt from.

    added: special tokens that it gets where it lacks them; a model's embedding grows by them, and they are trained.
    Raises DataError where files are absent or not those of a fast tokenizer.
    """
    match source:
        case TrainedTokenizer():
            return _by_names(learn_bpe(texts, source.vocab_size, added))
        case LocalTokenizer() if source.gguf is None:
            folder_tokenizer = read_folder(pretrained_folder(source, ()), lowercase=source.lowercase)
        case LocalTokenizer() | HubTokenizer():
            folder_tokenizer = _from_transformers(pretrained_folder(source, hub.TOKENIZER_FILES), source.gguf)
        case RegisteredTokenizer():
            raise DataError("a registered tokenizer must be pinned to its files before it is read")
    lacking = [token for token in added if token not in folder_tokenizer.special_ids]
    folder_tokenizer.backend.add_special_tokens(lacking)
    new = tuple(folder_tokenizer.backend.get_vocab(with_added_tokens=True)[token] for token in lacking)
    return replace(
        plain_tokenizer(folder_tokenizer.backend, folder_tokenizer.special), added=new, texts=folder_tokenizer.texts
    )


def learn_bpe(texts: list[str], size: int, added: Sequence[str] = ()) -> Tokenizer:
    """A byte-level BPE as GPT-2's (Radford et al. 2019): every text is representable and comes back exactly."""
    tokenizer = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END, PAD, *added],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def read_folder(folder: Path, *, lowercase: bool) -> TextTokenizer:
    """Read tokenizer.json, vocab.json + merges.txt, or vocab.txt."""
    try:
        if (folder / ENCODING).exists():
            return _from_temper(folder)
        if (folder / "tokenizer.json").exists():
            return _from_transformers(folder)
        if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
            bpe = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
            tokenizer = _byte_level(bpe)
            tokenizer.add_special_tokens([END])
            return _by_names(tokenizer)
        if (folder / "vocab.txt").exists():
            return _by_names(_word_piece(folder / "vocab.txt", lowercase))
    except DataError:
        raise
    except Exception as error:  # tokenizers raises bare Exception for files it cannot read
        raise DataError(f"{folder}: not a readable tokenizer ({error})") from None
    raise DataError(f"{folder}: needs tokenizer.json, or vocab.json and merges.txt, or vocab.txt")


def _byte_level(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def _word_piece(vocabulary: Path, lowercase: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece.from_file(str(vocabulary), unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tokenizer


def _by_names(tokenizer: Tokenizer) -> TextTokenizer:
    named_ids: dict[str, int] = {}
    for role, names in ROLES.items():
        ids = [token for name in names if (token := tokenizer.token_to_id(name)) is not None]
        if ids:
            named_ids[role] = ids[0]
    return plain_tokenizer(tokenizer, named_ids)


def _from_temper(folder: Path) -> TextTokenizer:
    """The tokenizer of a model that was trained here, exactly: transformers would build one of the model's family
    instead, which for a vocabulary learnt here is another."""
    encoding = json.loads((folder / ENCODING).read_text(encoding="utf-8"))
    if "special" not in encoding:
        raise DataError(
            f"encode.tokenizer: a model of encode.kind {encoding['kind']} has no tokenizer; take one of texts"
        )
    special = encoding["special"]
    stored = _by_names(Tokenizer.from_file(str(folder / FILE)))
    tokenizer = plain_tokenizer(stored.backend, {**stored.special, **special})
    return replace(tokenizer, texts=encoding.get("texts", {}))


def _from_transformers(folder: Path, gguf: str | None = None) -> TextTokenizer:
    """Let transformers build it, since a repository's own class decides what tokenizer files mean; or that of a GGUF
    file in the folder."""
    from transformers import AutoTokenizer

    options = {"local_files_only": True, "trust_remote_code": False, **gguf_options(gguf)}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise DataError(f"{folder.name}: not a readable tokenizer ({str(error).splitlines()[0]})") from None
    if not tokenizer.is_fast:
        raise DataError(f"{folder.name}: has no fast tokenizer (tokenizer.json)")
    special = {role: getattr(tokenizer, f"{role}_token_id") for role in ROLES}
    known = {role: token for role, token in special.items() if token is not None}
    by_name = _by_names(tokenizer.backend_tokenizer)
    converted = plain_tokenizer(tokenizer.backend_tokenizer, {**by_name.special, **known})
    return replace(converted, texts=dict(tokenizer.special_tokens_map))


def frame_of(kind: str, tokenizer: TextTokenizer, needed: tuple[str, ...]) -> tuple[dict[str, int], int]:
    """The ids of the special tokens that a kind of row needs, and the id of pads. Raises DataError where one lacks."""
    special = tokenizer.special
    lacking = [role for role in needed if role not in special]
    if lacking:
        raise DataError(f"encode.kind {kind} needs a tokenizer with {' and '.join(lacking)} token; this has none")
    return {role: special[role] for role in needed}, special.get("pad", special.get("eos", 0))
