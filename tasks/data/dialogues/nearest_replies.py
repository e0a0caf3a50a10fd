"""Dialogues -> each of the assistant's turns as a chosen reply, next to one that stands behind a similar history."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from .messages import dump_messages, load_messages, transcript
from .replies import write_rejected

Ints = npt.NDArray[np.int64]
WORD = re.compile(r"\w+")
LAST = 2
"""Turns of a history by which it is compared with others."""


def nearest_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per turn of the assistant: messages up to it, and as `rejected` the turn behind the most similar history of
    another dialogue that differs from it; turns without such a one are left out.

    rows: messages, and perhaps group (which is made where there is none: turns of one dialogue belong together) and
    further columns, which stay. Similar is by the cosine of the TF-IDF of the last two turns, the first on a tie.
    """
    dialogues = [load_messages(text) for text in rows["messages"]]
    turns = [
        (row, place)
        for row, dialogue in enumerate(dialogues)
        for place in range(1, len(dialogue))
        if dialogue[place]["role"] == "assistant" and any(turn["role"] == "user" for turn in dialogue[:place])
    ]
    groups = rows["group"] if "group" in rows else pd.Series(map(str, range(len(rows))), dtype="str")
    histories = [transcript(dialogues[row][max(place - LAST, 0) : place]) for row, place in turns]
    replies = [dump_messages([dialogues[row][place]]) for row, place in turns]
    owners = pd.factorize(groups.iloc[[row for row, _ in turns]])[0]
    others = most_similar(histories, [np.asarray(owners), pd.factorize(np.array(replies, dtype=object))[0]])
    kept = [number for number, other in enumerate(others) if other >= 0]
    pairs = rows.iloc[[turns[number][0] for number in kept]].reset_index(drop=True)
    whole = [dialogues[row][: place + 1] for row, place in (turns[number] for number in kept)]
    worse = [
        [*dialogue[:-1], load_messages(replies[others[number]])[0]]
        for dialogue, number in zip(whole, kept, strict=True)
    ]
    return pairs.assign(
        messages=pd.Series(map(dump_messages, whole), dtype="str"),
        rejected=pd.Series(map(write_rejected, whole, worse), dtype="str"),
        group=pd.Series([groups.iloc[turns[number][0]] for number in kept], dtype="str"),
    )


def most_similar(texts: Sequence[str], apart: Sequence[Ints]) -> Ints:
    """Per text the number of the one that is most like it, of those that differ from it in each of `apart`; -1 where
    there is none."""
    counts = [Counter(WORD.findall(text.casefold())) for text in texts]
    occurrences = Counter(word for count in counts for word in count)
    vectors = [
        {word: (1 + math.log(n)) * (1 + math.log(len(texts) / occurrences[word])) for word, n in count.items()}
        for count in counts
    ]
    norms = [math.sqrt(sum(weight**2 for weight in vector.values())) or 1.0 for vector in vectors]
    places: dict[str, list[tuple[int, float]]] = {}
    for number, (vector, norm) in enumerate(zip(vectors, norms, strict=True)):
        for word, weight in vector.items():
            places.setdefault(word, []).append((number, weight / norm))
    index = {word: (np.array([n for n, _ in held]), np.array([w for _, w in held])) for word, held in places.items()}
    nearest = np.full(len(texts), -1, np.int64)
    for number, vector in enumerate(vectors):
        likeness = np.zeros(len(texts))
        for word, weight in vector.items():
            numbers, weights = index[word]
            likeness[numbers] += weight * weights
        for keys in apart:
            likeness[keys == keys[number]] = -1.0
        best = int(likeness.argmax())
        nearest[number] = best if likeness[best] >= 0 else -1
    return nearest
