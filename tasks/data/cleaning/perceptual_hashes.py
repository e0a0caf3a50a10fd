"""Step perceptual_duplicates: rows and the difference hashes of their images in, those to be dropped out."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs import cleaning as steps

from ..drops import Drops, reason_where
from .duplicates import best_first

Hashes = npt.NDArray[np.uint64]
BITS = 64


def perceptual_duplicates(rows: pd.DataFrame, step: steps.PerceptualDuplicates, seen: pd.DataFrame) -> Drops:
    """All but the first of images whose hashes differ in few bits, whatever their labels; unreadable ones go too."""
    cause = rows["image"].map(seen["cause"])
    judged = best_first(rows[rows["image"].notna() & cause.isna()])
    codes, hashes = pd.factorize(judged["image"].map(seen["hash"]))
    first = judged["id"].groupby(codes).transform("first")
    stands = representatives(len(hashes), alike(np.asarray(hashes, np.uint64), step.distance))
    by_code = first.groupby(codes).first().to_numpy()
    others = pd.Series(by_code[stands[codes]] if len(judged) else [], index=judged.index, dtype="str")
    repeated = (others != judged["id"]).reindex(rows.index, fill_value=False)
    reasons = ("unreadable: " + cause).astype("str").fillna(reason_where(repeated, "looks like another image"))
    return Drops(reasons, others.reindex(rows.index))


def representatives(count: int, pairs: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Per position the earlier one that stands for it, or itself: taken in order, an image is stood for by the first
    kept one that it looks like. `pairs` (first < second) are sorted."""
    stands = np.arange(count)
    for first, second in zip(pairs["first"].tolist(), pairs["second"].tolist(), strict=True):
        if stands[first] == first and stands[second] == second:
            stands[second] = first
    return stands


def alike(hashes: Hashes, distance: int) -> pd.DataFrame:
    """Every pair of positions whose hashes (distinct ones) differ in at most `distance` bits; columns first, second.

    Two such hashes agree in at least one of distance + 1 pieces, so only hashes that share a piece are compared
    (Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", 2007).
    """
    edges = np.linspace(0, BITS, distance + 2).astype(int)
    pairs_near = [np.zeros((0, 2), np.int64)]
    for low, high in pairwise(edges):
        piece = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        pairs_near += _compare(hashes, piece, distance)
    pairs = np.unique(np.concatenate(pairs_near), axis=0)
    return pd.DataFrame({"first": pairs[:, 0], "second": pairs[:, 1]})


def _compare(hashes: Hashes, piece: Hashes, distance: int) -> list[npt.NDArray[np.int64]]:
    """Pairs within the distance among hashes of one piece: each with its next neighbour, the one after, and so on."""
    order = np.argsort(piece, kind="stable")
    ranked = piece[order]
    start = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))[: len(piece)]
    place = np.arange(len(piece)) - np.repeat(start, np.diff(np.append(start, len(piece))))
    pairs_near, gap, later = [], 1, np.flatnonzero(place >= 1)
    while len(later):
        first, second = order[later - gap], order[later]
        near = np.bitwise_count(hashes[first] ^ hashes[second]) <= distance
        pairs_near.append(np.stack([first[near], second[near]], 1))
        gap += 1
        later = later[place[later] >= gap]
    return pairs_near
