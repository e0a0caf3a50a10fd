"""A model's blocks in its own order, by the names that `train.phases` takes: which of them are the earlier half."""

from collections.abc import Collection, Mapping
from itertools import groupby


def earlier_half(shown: Mapping[str, str], head: Collection[str]) -> tuple[str, ...]:
    """What a partial fine-tuning freezes: the first half of the body's blocks, neighbours written as a range.

    shown: parameter -> its name without the wrapper's prefix, in the model's order; head: parameters of the head. A
    block is what a number ends (`encoder.layer.3`, `layer2.0`, `features.5`), else a part at the top. Empty where the
    body is one block.
    """
    names = [name for parameter, name in shown.items() if parameter not in head]
    blocks = list(dict.fromkeys(_block(name) for name in names))
    blocks = list(dict.fromkeys(_alone(_block(name), name, blocks) for name in names))
    return tuple(_ranges(blocks[: len(blocks) // 2]))


def _block(name: str) -> str:
    parts = name.split(".")
    whole = next((at for at, part in enumerate(parts) if part.isdecimal()), None)
    ended = next((at for at, part in enumerate(parts) if part[-1:].isdecimal()), None)
    last = whole if whole is not None else ended
    return ".".join(parts[: 1 if last is None else last + 1])


def _alone(block: str, name: str, blocks: list[str]) -> str:
    """The block, or the parameter by itself where the block's name is a prefix of others (ViT's position embedding
    lies in `encoder`, next to the layers)."""
    return name if any(other.startswith(f"{block}.") for other in blocks) else block


def _ranges(blocks: list[str]) -> list[str]:
    """encoder.layer.0, encoder.layer.1, encoder.layer.2 -> encoder.layer.0-2."""
    written = []
    for prefix, several in groupby(blocks, key=_prefix):
        same = list(several)
        first, last = same[0].rpartition(".")[2], same[-1].rpartition(".")[2]
        written += [f"{prefix}.{first}-{last}"] if prefix and len(same) > 1 else same
    return written


def _prefix(block: str) -> str:
    """What stands before a block's number; empty where it ends in none."""
    before, _, last = block.rpartition(".")
    return before if last.isdecimal() else ""
