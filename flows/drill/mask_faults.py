"""Faults of the encoding: masks, end tokens, templates, truncation and labels that are not what the rows ask for.

What a kind's encoder makes is changed before its mask certificate sees it; the certificate is the real one.
"""

import importlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tasks.kinds.drilling import Change

from .fault import Copy, Fault, NotApplicable, Uncaught
from .planting import spoil

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from tasks.kinds.drilling import Drill
    from tasks.text.segments import Encoded

CHECK = re.compile(r"break the mask check `([^`]{1,200})`, such as")
GATE = "encode: mask certificate"


def shift_mask(encoded: "Encoded") -> "Encoded":
    """The mask one token early."""
    import numpy as np

    from tasks.learn.labels import IGNORE_INDEX

    marked = _marked(encoded)
    early = np.roll(marked, -1)
    early[encoded.offsets[1:][encoded.lengths > 0] - 1] = False
    tokens = bool((encoded.labels[marked] == encoded.ids[marked]).all())
    labels = encoded.ids if tokens else np.roll(encoded.labels, -1)
    return replace(encoded, labels=np.where(early, labels, IGNORE_INDEX).astype(np.int32))


def unmask_end(encoded: "Encoded") -> "Encoded":
    """The last supervised token of each row without a label."""
    from tasks.learn.labels import IGNORE_INDEX

    labels = encoded.labels.copy()
    labels[_last_supervised(encoded)] = IGNORE_INDEX
    return replace(encoded, labels=labels)


def cut_supervised(encoded: "Encoded") -> "Encoded":
    """Each row without its last supervised token."""
    import numpy as np

    gone = _last_supervised(encoded)
    kept = np.ones(len(encoded.ids), bool)
    kept[gone] = False
    lost = np.cumsum(np.concatenate([[0], (~kept).astype(np.int64)]))[encoded.offsets]
    types = None if encoded.types is None else encoded.types[kept]
    return replace(
        encoded, ids=encoded.ids[kept], labels=encoded.labels[kept], offsets=encoded.offsets - lost, types=types
    )


def _marked(encoded: "Encoded") -> "npt.NDArray[Any]":
    from tasks.learn.labels import IGNORE_INDEX

    marked: npt.NDArray[Any] = encoded.labels != IGNORE_INDEX
    if not marked.any():
        raise NotApplicable("encoded rows of this kind carry no supervised tokens")
    return marked


def _last_supervised(encoded: "Encoded") -> "npt.NDArray[Any]":
    """Positions of each row's last supervised token."""
    import numpy as np

    places = np.flatnonzero(_marked(encoded))
    row = np.searchsorted(encoded.offsets, places, side="right") - 1
    last: npt.NDArray[Any] = places[np.append(row[1:] != row[:-1], True)]
    return last


def shift_truth(truth: "pd.Series", part: str) -> "pd.Series":
    """Each row that has a truth with that of such a row before it."""
    import numpy as np

    known = truth.notna()
    shifted = truth.copy()
    shifted[known] = np.roll(truth[known].to_numpy(), 1)
    return shifted


def permute_in_test(truth: "pd.Series", part: str) -> "pd.Series":
    """In the test part alone each label as the next one."""
    if part != "test":
        return truth
    labels = sorted(truth.unique())
    if len(labels) < 2:
        raise NotApplicable("the test rows of the sample have one label")
    return truth.map(dict(zip(labels, [*labels[1:], labels[0]], strict=True))).astype(truth.dtype)


def encode_with(copy: Copy, change: Change) -> str:
    """Run `encode` with a change; what the certificate states about it."""
    from tasks.data.errors import DataError
    from tasks.kinds.spec import module_of

    importlib.import_module(module_of(copy.recipe.encode.kind, "encode"))  # what it imports by name is replaced there
    place = _drill(copy).encoding(change, copy.recipe.encode.traits.truth)
    spoil(place.module, place.name, place.make)
    copy.forget("encode")
    try:
        copy.run("encode")
    except DataError as error:
        named = CHECK.search(str(error))
        return named[1] if named else str(error).splitlines()[0]
    raise Uncaught("encode certifies it")


def _drill(copy: Copy) -> "Drill":
    from tasks.kinds.drilling import open_drill

    return open_drill(copy.recipe.encode.kind)


def _where(applies: "Callable[[Drill], bool]", why: str, change: Change) -> Callable[[Copy], str]:
    def work(copy: Copy) -> str:
        if not applies(_drill(copy)):
            raise NotApplicable(f"encode.kind {copy.recipe.encode.kind} {why}")
        return encode_with(copy, change)

    return work


def _tokens(change: Change) -> Callable[[Copy], str]:
    def work(copy: Copy) -> str:
        if copy.recipe.encode.traits.content == "image":
            raise NotApplicable("images have no tokens")
        return encode_with(copy, change)

    return work


def _truths(change: Change, columns: tuple[str, ...]) -> Callable[[Copy], str]:
    def work(copy: Copy) -> str:
        truth = copy.recipe.encode.traits.truth
        if truth not in columns:
            raise NotApplicable(f"encode.kind {copy.recipe.encode.kind} learns no {' or '.join(columns)}")
        return encode_with(copy, change)

    return work


def faults() -> list[Fault]:
    """In the order of the pipeline."""
    truths = ("label", "labels", "target")
    return [
        Fault("labels shifted by one row", GATE, _truths(Change(truth=shift_truth), truths)),
        Fault("label map permuted in the test part", GATE, _truths(Change(truth=permute_in_test), ("label", "labels"))),
        Fault("mask off by one token", GATE, _tokens(Change(encoded=shift_mask))),
        Fault(
            "end token not supervised",
            GATE,
            _where(lambda kind: kind.ends, "writes no end token", Change(encoded=unmask_end)),
        ),
        Fault("truncation that cuts the supervised text", GATE, _tokens(Change(encoded=cut_supervised))),
        Fault(
            "rows rendered by a stale template",
            GATE,
            _where(
                lambda kind: kind.template,
                "has no chat template",
                Change(template=lambda source: "An older template. " + source),
            ),
        ),
    ]
