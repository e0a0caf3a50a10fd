"""A recipe that names branches or tags of the Hub comes in; the same text with commits in their place goes out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .recipe_edits import rest_of_line, save

if TYPE_CHECKING:
    import yaml

    from tasks.data.sources.hub import Kind


@dataclass(frozen=True)
class Reference:
    """A repository of the Hub in a recipe: the keys that lead to it, and its branch, tag or commit."""

    keys: tuple[str, ...]
    kind: "Kind"
    repo: str
    revision: str
    token: str | None = None


def references(part: Any, keys: tuple[str, ...] = ()) -> Iterator[Reference]:
    """Every repository of the Hub that a recipe names."""
    from configs import backbones, models, sources

    if isinstance(part, sources.HubSource | models.HubTokenizer | models.HubModel):
        kind: Kind = "dataset" if isinstance(part, sources.HubSource) else "model"
        yield Reference(keys, kind, part.repo, part.revision, getattr(part, "token", None))
    elif isinstance(part, backbones.Timm) and part.weights != "none":
        yield Reference(keys, "model", part.repo, part.revision)
    elif is_dataclass(part):
        for field in fields(part):
            yield from references(getattr(part, field.name), (*keys, field.name))


def rewrite(path: Path, commits: Mapping[Reference, str]) -> None:
    """Put the commits into the file, in one step and only if nothing else of the recipe changes by it.

    Raises RecipeError.
    """
    from configs.literal import complete
    from configs.load import RecipeError, load_recipe

    expected = complete(load_recipe(path))
    for each, commit in commits.items():
        section = expected
        for key in each.keys:
            section = section[key]
        if (section.get("repo", each.repo), section["revision"]) != (each.repo, each.revision):
            raise RecipeError(f"{path}: was changed meanwhile; pin it again")
        section["revision"] = commit
    wanted = ", ".join(f"{'.'.join(each.keys)}.revision: {commit}" for each, commit in commits.items())
    save(path, pinned(path.read_bytes().decode(), commits), expected, wanted)


def pinned(text: str, commits: Mapping[Reference, str]) -> str:
    """The YAML text with a commit in each of these places, every other character as it was."""
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits = [_edit(text, _section(root, each.keys), each.revision, commit) for each, commit in commits.items()]
    for start, stop, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[stop:]
    return text


def _section(node: "yaml.Node | None", keys: tuple[str, ...]) -> "yaml.MappingNode":
    for key in keys:
        node = next(value for name, value in node.value if name.value == key)  # type: ignore[union-attr]
    return node  # type: ignore[return-value]


def _edit(text: str, section: "yaml.MappingNode", revision: str, commit: str) -> tuple[int, int, str]:
    """Where to cut, to where, and what to put there: the value of `revision`, or a new line behind what names the
    repository."""
    word = f'"{commit}"' if re.fullmatch(r"[0-9]+(e[0-9]+)?", commit) else commit
    entries = {key.value: (key, value) for key, value in section.value}
    key, value = next(entries[name] for name in ("revision", "repo", "weights") if name in entries)
    start, stop = value.start_mark.index, value.end_mark.index
    line_end = rest_of_line(text, stop)
    if "revision" in entries:
        remark = "" if line_end[0].strip() else f"  # {revision}"
        return start, stop, word + remark
    if section.flow_style:
        return stop, stop, f", revision: {word}"
    newline = "\r\n" if text.startswith("\r\n", line_end.end()) else "\n"
    line = f"{newline}{' ' * key.start_mark.column}revision: {word}  # {revision}"
    return line_end.end(), line_end.end(), line
