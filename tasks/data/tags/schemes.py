"""Tags of words in IOB2, IOB1 or BIOES (also written BILOU) <-> entities; which of these schemes some tags are in."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from ..errors import DataError

OUTSIDE = "O"
Scheme = Literal["iob2", "iob1", "bioes"]
TAG = re.compile(r"O|[BIESLU]-\S.*")
BILOU = {"L": "E", "U": "S"}
"""BILOU's letters for the last word of an entity, and for its only one, in BIOES."""


CLOSING = frozenset("ES")
"""Letters that BIOES alone has: of the last word of an entity, and of its only one."""


class Entity(NamedTuple):
    """Places from `start` to before `stop` (words, or characters of a text), and the type."""

    start: int
    stop: int
    label: str


def split_tag(tag: str) -> tuple[str, str]:
    """The letter of a tag, and its type, empty for O. Raises DataError for a tag of no known scheme."""
    if not TAG.fullmatch(tag):
        raise DataError(f"the tag {tag!r} is of no known scheme; IOB2, IOB1 and BIOES write O, B-person, I-person")
    letter, _, name = tag.partition("-")
    return BILOU.get(letter, letter), name


def entities_of(tags: Sequence[str], scheme: Scheme) -> tuple[list[Entity], int]:
    """The entities of a sentence, in words, and how many tags stand where the scheme has none of their letter.

    Such a tag loses nothing: what goes on without a beginning begins an entity (an I- without B- in IOB2), and what is
    not closed ends where another tag follows. Raises DataError for a tag of no known scheme.
    """
    entities: list[Entity] = []
    misplaced, running = 0, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        letter, name = split_tag(tag)
        goes_on = letter in ("I", "E") and name == running
        misplaced += scheme == "bioes" and running != "" and not goes_on
        if goes_on:
            entities[-1] = entities[-1]._replace(stop=place + 1)
        elif letter != OUTSIDE:
            entities.append(Entity(place, place + 1, name))
            misplaced += letter == "B" and name != running if scheme == "iob1" else letter in ("I", "E")
        running = name if letter in ("B", "I") else ""
    return entities, misplaced


def detect_scheme(rows: Iterable[Sequence[str]]) -> Scheme:
    """The scheme of all rows' tags: BIOES where one of its own letters is there, else that of IOB2 and IOB1 which has
    fewer tags out of place. Raises DataError for a tag of no known scheme."""
    sentences = list(rows)
    letters = {split_tag(tag)[0] for tag in {tag for tags in sentences for tag in tags}}
    if letters & CLOSING:
        return "bioes"
    second, first = (sum(entities_of(tags, scheme)[1] for tags in sentences) for scheme in ("iob2", "iob1"))
    return "iob2" if second <= first else "iob1"


def iob2(words: int, entities: Iterable[Entity]) -> list[str]:
    """A tag for each of so many words."""
    tags = [OUTSIDE] * words
    for start, stop, label in entities:
        tags[start:stop] = [f"B-{label}", *[f"I-{label}"] * (stop - start - 1)]
    return tags
