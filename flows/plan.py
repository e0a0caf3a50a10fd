"""What a run would do, stage by stage, and why; nothing is run, and nothing is asked unless that is wanted."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from configs.schema import Recipe
    from tasks.artifact import Artifact
    from tasks.cached import Stage
    from tasks.store.events import StageLine

    Planned = tuple[list[StageLine], list[str], dict[str, Artifact]]


def plan(recipe: "Recipe", *, ask: bool) -> "Planned":
    """A line per stage (stage, key, status, changed, seconds), remarks on when sources were last asked and on the
    precision here, and the artifacts that are cached, by stage."""
    from configs.precision import precision_note

    from .stage_graph import stage, wiring

    planned: dict[str, Artifact | None] = {}
    lines, notes, cached = [], [], {}
    for name, noun, takes in wiring():
        upstream = [artifact for t in takes if (artifact := planned.get(t)) is not None]
        missing = [t for t in takes if planned.get(t) is None]
        inputs: dict[str, Artifact] | None = None
        if noun == "":
            line, artifact = _line(name, "unknown", ["asks the registry when it runs"]), None
        elif missing:
            line, artifact = _line(name, "unknown", [f"waits for {', '.join(missing)}"]), None
        else:
            opened = stage(name)
            inputs = dict(zip(opened.parameters, upstream, strict=True))
            line, artifact, remarks = _foresee(opened, getattr(recipe, name), inputs, ask)
            notes += remarks
        lines.append(line)
        if name == "download":
            lines += _added(recipe)
        if name == "train" and artifact is None:
            lines += _auxiliary(recipe, inputs, ask)
        planned[noun] = artifact
        if artifact is not None:
            cached[name] = artifact
    note = precision_note(recipe.train)
    return lines, [*notes, *([note] if note else [])], cached


def planned(recipe: "Recipe") -> "Planned | None":
    """The plan, for which nothing is asked; None where it cannot be made: the stage itself will state why."""
    from tasks.artifact import StageError
    from tasks.data.errors import DataError

    try:
        return plan(recipe, ask=False)
    except (DataError, StageError, OSError):
        return None


def _added(recipe: "Recipe") -> "Iterator[StageLine]":
    """A line for each artifact of rows that the recipe adds to its source's."""
    from configs.sources import added_rows
    from tasks.data.sources.added_artifacts import absent, stored

    for extra in added_rows(recipe.download):
        artifact = stored(extra)
        status, why = ("unknown", [absent(extra)]) if artifact is None else ("cached", [])
        line = _line(extra.kind, status, why, "" if artifact is None else artifact.key)
        yield {**line, "within": "download"}


def _auxiliary(recipe: "Recipe", inputs: "dict[str, Artifact] | None", ask: bool) -> "list[StageLine]":
    """A line for each artifact that a training that is not cached asks for: the reference model's, of kinds that are
    held to one, and each teacher's. inputs: the training's; None while they are not cached."""
    from configs.reference import reference_of
    from configs.teacher import scores_of
    from tasks.kinds.spec import open_kind
    from tasks.reference import reference
    from tasks.teacher import teacher

    asked: list[tuple[Stage[Any], Any]] = []
    if open_kind(recipe.encode.kind).reference:
        asked.append((reference, reference_of(recipe.train)))
    asked += [(teacher, section) for section in scores_of(recipe.train.teacher)]
    lines = []
    for opened, section in asked:
        if inputs is None:
            lines.append(_line(opened.name, "unknown", [f"waits for {', '.join(opened.parameters)}"]))
        else:
            lines.append(_foresee(opened, section, {name: inputs[name] for name in opened.parameters}, ask)[0])
    for line in lines:
        line["within"] = "train"
    return lines


def _foresee(
    stage: "Stage[Any]", section: Any, inputs: "dict[str, Artifact]", ask: bool
) -> "tuple[StageLine, Artifact | None, list[str]]":
    from configs.settings import settings
    from configs.threads import described_difference
    from tasks.data.sources.revisions import Unpinned, resolved
    from tasks.store import disk
    from tasks.store.identity import key_of, what_changed

    try:
        pinned, identified = stage.identify(section, inputs, ask=ask)
    except Unpinned as error:
        return _line(stage.name, "unknown", [str(error)]), None, []
    notes = [f"{what} as of {when}" for what, when in resolved(section, pinned)]
    root, key = settings().store, key_of(identified)
    try:
        artifact = disk.find(root, stage.name, key)
    except ValueError as damage:
        return _line(stage.name, "run", [f"the cached artifact is damaged: {damage}"], key), None, notes
    if artifact is not None:
        recorded = artifact.manifest()["made"].get("threads")
        if recorded is not None and stage.curves and (difference := described_difference(stage.name, recorded)):
            notes.append(difference)
        return _line(stage.name, "cached", [], key), artifact, notes
    checkpoints = disk.partial_path(root, stage.name, key) / "scratch" / "checkpoints"
    resumable = stage.curves and any(checkpoints.glob("checkpoint-*"))
    changed = what_changed(root, stage.name, identified)
    return _line(stage.name, "resumed" if resumable else "run", changed, key), None, notes


def _line(name: str, status: str, changed: list[str], key: str = "") -> "StageLine":
    return {"stage": name, "key": key, "status": status, "changed": changed, "seconds": 0.0}
