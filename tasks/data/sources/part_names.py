"""Names of folders, files and split values -> the part of a split that they name, by one generous rule.

A name is a part's when its letters, without case, digits and separators, are one of WORDS between any number of
FILLERS: `Training`, `train_set`, `test-images`, `VAL2017`, `hold out`. Names that share what else is in them are parts
too, where they name different ones next to each other: `seg_train` and `seg_test`, `cifar-train` and `cifar-val`.
"""

import re
from collections import defaultdict
from collections.abc import Collection

WORDS = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "trn": "train",
    "learn": "train",
    "validation": "validation",
    "validate": "validation",
    "validating": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "eval": "validation",
    "evaluate": "validation",
    "evaluation": "validation",
    "tune": "validation",
    "tuning": "validation",
    "test": "test",
    "tests": "test",
    "testing": "test",
    "tst": "test",
    "holdout": "test",
    "heldout": "test",
}
"""Words for parts. Where a source has `eval` next to `train`, but no test rows, `eval` is the test (see `settle`)."""
EVALUATION = re.compile(r"eval", re.IGNORECASE)
FILLERS = (
    "set",
    "split",
    "part",
    "data",
    "images",
    "image",
    "imgs",
    "img",
    "pictures",
    "pics",
    "photos",
    "files",
    "folder",
    "samples",
    "examples",
    "labelled",
    "labeled",
    "rows",
    "full",
)
_FILLER = f"(?:{'|'.join(sorted(FILLERS, key=len, reverse=True))})*"
_PLAIN = re.compile(f"{_FILLER}({'|'.join(sorted(WORDS, key=len, reverse=True))}){_FILLER}")
_SPLIT = re.compile(r"[\W\d_]+|(?<=[a-z])(?=[A-Z])")
LONGEST = 100
"""Characters of a name; a longer one names no part."""


def part_named(name: str) -> str | None:
    """train, validation or test, where a name states it by itself; else None."""
    match = _PLAIN.fullmatch("".join(_SPLIT.split(name)).lower()) if len(name) <= LONGEST else None
    return WORDS[match[1]] if match else None


def parts_named(names: Collection[str]) -> dict[str, str]:
    """Of names next to each other those that name a part, with the part: by themselves, or by what they share."""
    part_by_name = {name: part for name in names if (part := part_named(name))}
    alike: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for name in names:
        if len(name) > LONGEST or name in part_by_name:
            continue
        words = [word.lower() for word in _SPLIT.split(name) if word]
        if len(parts := [word for word in words if word in WORDS]) == 1:
            alike[tuple(word for word in words if word not in WORDS)][name] = WORDS[parts[0]]
    for group in alike.values():
        if len(set(group.values())) > 1:
            part_by_name |= group
    return settle(part_by_name)


def settle(parts: dict[str, str]) -> dict[str, str]:
    """The same, where `eval` is the test if nothing else is and there are training rows."""
    if "train" in parts.values() and "test" not in parts.values():
        held = {name for name, part in parts.items() if part == "validation" and EVALUATION.search(name)}
        return {name: "test" if name in held else part for name, part in parts.items()}
    return parts
