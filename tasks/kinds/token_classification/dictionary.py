"""The baseline: the entities of training rows, wherever their words stand in another text."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from ...data.tags.rows import Tagged
from ...data.tags.schemes import Entity

Words = tuple[str, ...]


def learn(texts: Sequence[str], rows: Sequence[Tagged]) -> dict[Words, str]:
    """The words of each entity with the type that they have most often, the first by name of equals."""
    seen: dict[Words, Counter[str]] = defaultdict(Counter)
    for text, row in zip(texts, rows, strict=True):
        for entity in row.entities:
            words = [text[start:stop] for start, stop in row.words if start < entity.stop and stop > entity.start]
            seen[tuple(words)][entity.label] += 1
    return {words: min(counts, key=lambda label: (-counts[label], label)) for words, counts in seen.items()}


def look_up(known: dict[Words, str], text: str, row: Tagged) -> list[Entity]:
    """The longest known entity that begins at each word, from the first word on, none inside another."""
    words = [text[start:stop] for start, stop in row.words]
    longest = max(map(len, known), default=0)
    matched, place = [], 0
    while place < len(words):
        sizes = range(min(longest, len(words) - place), 0, -1)
        size = next((size for size in sizes if tuple(words[place : place + size]) in known), 0)
        if size:
            label = known[tuple(words[place : place + size])]
            matched.append(Entity(row.words[place][0], row.words[place + size - 1][1], label))
        place += max(size, 1)
    return matched
