"""Weights whose names are not the net's -> the same tensors under the net's names, by rules or by their order."""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from ..data.errors import DataError

Tensors = Mapping[str, Tensor]


def rename_tensors(tensors: Tensors, rules: Sequence[tuple[str, str]], where: str) -> dict[str, Tensor]:
    """Every name after all rules (pattern, replacement) in their order.

    Raises DataError where a rule fits no name, or two tensors come by one name.
    """
    names = {name: name for name in tensors}
    for pattern, replacement in rules:
        changed = {name: _replace(pattern, replacement, now) for name, now in names.items()}
        if changed == names:
            raise DataError(f"{where}: train.model.rename: {pattern!r} changes no name, such as {min(names.values())}")
        names = changed
    renamed: dict[str, Tensor] = {}
    for old, new in names.items():
        if new in renamed:
            raise DataError(f"{where}: train.model.rename gives two tensors the name {new}, one of them {old}")
        renamed[new] = tensors[old]
    return renamed


def _replace(pattern: str, replacement: str, name: str) -> str:
    try:
        return re.sub(pattern, replacement, name)
    except (re.error, IndexError) as error:
        raise DataError(f"train.model.rename: {replacement!r} does not fit {pattern!r} ({error})") from None


def match_in_order(tensors: Tensors, own: Tensors, where: str) -> dict[str, str]:
    """The net's names -> the file's, one by one in order.

    Raises DataError, naming the first pair that differs, unless number, kinds (weight, bias, running_mean, …) and
    shapes all agree.
    """
    if len(tensors) != len(own):
        raise DataError(f"{where}: {len(tensors)} tensors there, {len(own)} in the model: match: order needs as many")
    for number, (theirs, ours) in enumerate(zip(tensors, own, strict=True), 1):
        if kind(theirs) != kind(ours):
            raise DataError(
                f"{where}: match: order: tensor {number} is a {kind(theirs)} there ({theirs}), a "
                f"{kind(ours)} in the model ({ours})"
            )
        if tensors[theirs].shape != own[ours].shape:
            raise DataError(
                f"{where}: match: order: tensor {number} is {list(tensors[theirs].shape)} there "
                f"({theirs}), {list(own[ours].shape)} in the model ({ours})"
            )
    return dict(zip(own, tensors, strict=True))


def kind(name: str) -> str:
    """What a tensor is: the last part of its name."""
    return name.rpartition(".")[2]


def describe_pairs(pairs: Mapping[str, str], tensors: Tensors) -> str:
    """A markdown table, a row for each tensor."""
    rows = [
        f"| `{theirs}` | `{ours}` | {kind(ours)} | {' x '.join(map(str, tensors[theirs].shape)) or 'one'} |"
        for ours, theirs in pairs.items()
    ]
    return "\n".join(["", "| in the file | in the model | kind | shape |", "|---|---|---|---|", *rows])
