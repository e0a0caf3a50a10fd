"""temper pin: a recipe that names branches comes in; the same text with the commits of today goes out."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .arguments import RecipeFile
from .failures import failures

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


def command(recipe: RecipeFile) -> None:
    """Write into a recipe the commits that its branches and tags on the Hub stand for now.

    A run asks what `main` stands for each time, so its result changes when the Hub's content does; a pinned recipe
    stays the same. Only revisions are changed: remarks and layout stay, and the branch is kept as a remark. To move
    on later, write the branch back (`revision: main`) and pin again.

    Example: `temper pin configs/rotten_tomatoes_bert.yaml`
    """
    with failures():
        from configs.load import load_recipe
        from tasks.data.errors import DataError
        from tasks.data.sources import hub
        from tasks.output import environment_secret

        found = list(references(load_recipe(recipe)))
        loose = [each for each in found if not hub.COMMIT.match(each.revision)]
        if loose and hub.offline():
            raise DataError(f"{loose[0].repo}@{loose[0].revision}: HF_HUB_OFFLINE forbids asking which commit that is")
        asked: dict[tuple[str, str, Kind], str] = {}
        for each in loose:
            one = (each.repo, each.revision, each.kind)
            if one not in asked:
                token = None if each.token is None else environment_secret(each.token)
                asked[one] = hub.resolve(*one, token)
        if loose:
            rewrite(recipe.resolve(), {each: asked[each.repo, each.revision, each.kind] for each in loose})
        for each in found:
            commit = asked.get((each.repo, each.revision, each.kind))
            said = f"{each.revision} → {commit}" if commit else f"{each.revision}, as before"
            typer.echo(f"  {'.'.join(each.keys)}: {each.kind} {each.repo}  {said}")
        typer.echo(f"{len(loose)} pinned in {recipe}" if loose else f"nothing to pin in {recipe}")


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
    aside = path.with_name(f".{path.name}.new")
    try:
        with aside.open("w", encoding="utf-8", newline="") as handle:
            handle.write(pinned(path.read_bytes().decode(), commits))
            handle.flush()
            os.fsync(handle.fileno())
        try:
            found = complete(load_recipe(aside))
        except RecipeError:
            found = None
        if found != expected:
            wanted = ", ".join(f"{'.'.join(each.keys)}.revision: {commit}" for each, commit in commits.items())
            raise RecipeError(f"{path}: cannot be edited without changing something else; write into it {wanted}")
        shutil.copymode(path, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


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
    line_end = re.compile(r"[^\r\n]*").match(text, stop)
    assert line_end is not None
    if "revision" in entries:
        remark = "" if line_end[0].strip() else f"  # {revision}"
        return start, stop, word + remark
    if section.flow_style:
        return stop, stop, f", revision: {word}"
    newline = "\r\n" if text.startswith("\r\n", line_end.end()) else "\n"
    line = f"{newline}{' ' * key.start_mark.column}revision: {word}  # {revision}"
    return line_end.end(), line_end.end(), line
