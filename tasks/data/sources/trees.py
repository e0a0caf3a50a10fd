"""Paths of images -> which of their folders name a part of a split, and what each level of folders seems to be."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from ..errors import DataError
from .part_names import part_named, parts_named, settle

SHOWN = 3
"""Names that stand for a level."""
NAME = "[^/]+"
NEAREST = f"(?P<label>{NAME})/[^/]+$"
"""The class is the folder in which a file lies."""


def part_folders(files: Iterable[str]) -> dict[str, str | None]:
    """Folders by path that name a part of a split, with the part; None: next to such folders, with images but no class.

    Names of parts count where folders next to each other name different ones, where one alone holds all folders of
    classes, and in a folder that repeats the name above it: a class may be called `train` or `test`.
    """
    children: dict[str, set[str]] = defaultdict(set)
    direct, known = set(), set()
    for file in files:
        folder = file.rpartition("/")[0]
        direct.add(folder)
        while folder and folder not in known:
            known.add(folder)
            above, _, name = folder.rpartition("/")
            children[above].add(name)
            folder = above
    part_by_folder: dict[str, str | None] = {}
    for above in sorted(children, key=lambda folder: (folder.count("/") + bool(folder), folder)):
        names, base = children[above], f"{above}/" if above else ""
        if above in part_by_folder and names == {above.rpartition("/")[2]}:
            part_by_folder[base + next(iter(names))] = part_by_folder[above]
            continue
        parts = parts_named(names)
        if len(set(parts.values())) > 1:
            flat = {name for name in names if _is_flat(base + name, children)}
            part_by_folder |= {base + name: parts.get(name) for name in flat | set(parts)}
        elif len(parts) == len(names) == 1:
            part_by_folder |= {base + name: part for name, part in parts.items() if base + name not in direct}
    return part_by_folder


def _is_flat(folder: str, children: dict[str, set[str]]) -> bool:
    """Whether images lie in a folder that has no folders of classes, a repetition of its name aside."""
    inside = children.get(folder, set())
    name = folder.rpartition("/")[2]
    return not inside or (inside == {name} and not children.get(f"{folder}/{name}"))


def folder_parts(files: pd.Series, *, above: bool) -> pd.Series:
    """The part that the nearest folder of each path names, else null; `above` the one in which the file lies."""
    folders = files.str.rpartition("/")[0]
    places = folders.str.rpartition("/")[0] if above else folders
    by_context = part_folders(files)
    named = {place: _nearest(place, by_context) for place in places.unique()}
    settled = settle({folder: part for folder, part in named.values() if folder and part})
    return places.map({place: settled.get(folder) for place, (folder, _) in named.items()}).astype("str")


def _nearest(place: str, by_context: dict[str, str | None]) -> tuple[str, str | None]:
    while place:
        above, _, name = place.rpartition("/")
        if part := by_context.get(place) or part_named(name):
            return place, part
        place = above
    return "", None


@dataclass(frozen=True)
class Level:
    """Folders of one depth: names with the number of images below, and what they are: part, wrapper, class, group."""

    names: dict[str, int]
    kind: str

    def __str__(self) -> str:
        """How many there are, with examples."""
        shown = ", ".join(f"{name} ({count:,} images)" for name, count in list(self.names.items())[:SHOWN])
        return f"{len(self.names):,} names, such as {shown}" if len(self.names) > SHOWN else shown

    @property
    def numbered(self) -> bool:
        """Whether the names are little more than numbers, as those of patients, writers or days are."""
        words = {re.sub(r"[\d\W_]+", "", name).lower() for name in self.names}
        return len(self.names) >= SHOWN and all(map(re.compile(r"\d").search, self.names)) and len(words) <= SHOWN


@dataclass(frozen=True)
class Reading:
    """A way to read a tree: the levels of class and group (places in `levels`)."""

    levels: list[Level]
    label: int
    group: int | None = None

    @property
    def pattern(self) -> str | None:
        """Searched in a path, from the first level that is read to the file; None where the folder of a file is its
        class."""
        first = min(self.label, len(self.levels) if self.group is None else self.group)
        if first == len(self.levels) - 1:
            return None
        steps = [self._step(place) for place in range(first, len(self.levels))]
        return "/".join([*steps, "[^/]+$"])

    def role(self, place: int) -> str:
        """What a level is taken for."""
        roles = {self.label: "classes", self.group: "groups", None: ""}
        return roles.get(place) or {"part": "parts of a split"}.get(self.levels[place].kind, "around all")

    def _step(self, place: int) -> str:
        role = {self.label: "label", self.group: "group"}.get(place) or (
            "split" if self.levels[place].kind == "part" else None
        )
        return f"(?P<{role}>[^/]+)" if role else "[^/]+"

    def __str__(self) -> str:
        """What comes of it."""
        labels = f"{len(self.levels[self.label].names):,} classes (level {self.label + 1})"
        apart = (
            "" if self.group is None else f", {len(self.levels[self.group].names):,} groups (level {self.group + 1})"
        )
        return labels + apart


def read_tree(files: Sequence[str], called: str) -> Reading:
    """What each level of folders above images that lie in folders of classes seems to be.

    Raises DataError where that cannot be known, with the patterns that would fit and what comes of each.
    """
    parts = part_folders(files)
    paths = [file.split("/")[:-1] for file in files]
    shapes = {tuple("/".join(path[: place + 1]) in parts for place in range(len(path))) for path in paths}
    if len(shapes) > 1:
        raise _refuse(called, "lie at different depths", [], [f"^(?P<label>{NAME})/", NEAREST])
    levels = [_level(column, is_part) for column, is_part in zip(zip(*paths, strict=True), shapes.pop(), strict=True)]
    unknown = [place for place, level in enumerate(levels) if level.kind == "unknown"]
    if len(unknown) < 2:
        return _one_level(Reading(levels, unknown[0] if unknown else len(levels) - 1), called)
    upper, lower = unknown[-2:]
    if len(unknown) == 2 and levels[upper].numbered and not levels[lower].numbered and _repeats(paths, upper, lower):
        return Reading(levels, lower, upper)
    pairs = [(place, other) for place in unknown for other in unknown if place != other]
    options = (
        [Reading(levels, *pair) for pair in pairs[:SHOWN]]
        if len(unknown) > 2
        else [Reading(levels, upper, lower), Reading(levels, lower, upper), Reading(levels, lower)]
    )
    raise _refuse(called, "are nested, and any level may be the class", levels, options)


def _level(names: Sequence[str], is_part: bool) -> Level:
    counts = dict(Counter(names).most_common())
    return Level(counts, "part" if is_part else "wrapper" if len(counts) == 1 else "unknown")


def _repeats(paths: Sequence[Sequence[str]], upper: int, lower: int) -> bool:
    """Whether the names below are the same few under most of the folders above."""
    pairs = {(path[upper], path[lower]) for path in paths}
    above, below = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return len(below) < len(above) and 2 * len(pairs) > len(above) * len(below)


def _one_level(reading: Reading, called: str) -> Reading:
    """One level of classes. Raises DataError where one of them may be a part that has no classes."""
    odd = [name for name in reading.levels[reading.label].names if part_named(name)]
    if len(odd) == 1:
        name = re.escape(odd[0])
        what = f"are classes, and {odd[0]!r} is one too, or holds images without a class"
        without = f"(?:^|/)(?!{name}/)(?P<label>{NAME})/[^/]+$"
        raise _refuse(called, what, reading.levels, [NEAREST, without])
    return reading


def _refuse(called: str, what: str, levels: Sequence[Level], options: Sequence[Reading | str]) -> DataError:
    lines = [f"{called}: folders {what}"]
    lines += [f"  level {place}: {_seems(level)}{level}" for place, level in enumerate(levels, 1)]
    lines += ["choose how they are read (--pattern of init, `pattern` in a recipe):"]
    for option in options:
        pattern, result = (option, "") if isinstance(option, str) else (option.pattern or NEAREST, f"  # {option}")
        lines.append(f"  temper init {shlex.quote(called)} --pattern {shlex.quote(pattern)}{result}")
    return DataError("\n".join(lines))


def _seems(level: Level) -> str:
    kinds = {"part": "seems a part of a split: ", "wrapper": "around all: "}
    return kinds.get(level.kind) or ("seems a group or a class: " if level.numbered else "seems a class: ")
