"""Teachers of a recipe, before its student is trained: none may have seen what the student is judged by."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from configs.models import RegisteredModel
    from configs.schema import Recipe
    from tasks.artifact import Artifact

SEEN = {"test": ("train", "validation"), "validation": ("train",)}
"""Held-out parts of a student, each with the parts of a teacher's split that none of its rows may stand in."""


def require_unseen(recipe: "Recipe", splits: "Artifact") -> None:
    """Raise StageError where a teacher, of the recipe or of rows that it adds, was trained or chosen on rows that are
    held out here, or nobody knows: its scores and labels would carry them to the student."""
    from configs.sources import added_rows
    from tasks.data.sources.added_artifacts import fitted_by, opened

    if recipe.train.teacher is not None:
        require_fitted_apart(recipe.train.teacher.models, splits, "train.teacher")
    for extra in added_rows(recipe.download):
        for named, fitted in fitted_by(opened(extra, lambda _: None)).items():
            _require_apart(named, fitted, splits, "download.extra")


def require_fitted_apart(models: "Sequence[RegisteredModel]", splits: "Artifact", where: str) -> None:
    """Raise StageError where one of the models was trained or chosen on rows that the split holds out, or nobody knows;
    where: what names them."""
    from tasks.artifact import StageError
    from tasks.tracking import runs
    from tasks.tracking.evidence import fitted_ids
    from tasks.tracking.models import version_number

    client = runs.client()
    for model in models:
        number = version_number(model.name, model.version)
        fitted, named = fitted_ids(client, model.name, number), f"{model.name} version {number}"
        if fitted is None:
            raise StageError(
                f"{where}: the run of {named} does not state which rows it was trained on, so it may know the "
                "test rows; name a version that `temper run` registered"
            )
        _require_apart(named, fitted, splits, where)


def _require_apart(named: str, fitted: "Mapping[str, frozenset[str]]", splits: "Artifact", where: str) -> None:
    import pyarrow.parquet as pq

    from tasks.artifact import StageError

    for part, theirs in SEEN.items():
        seen = frozenset[str]().union(*(fitted[each] for each in theirs))
        ids = pq.read_table(splits.file(f"{part}.parquet"), columns=["id"]).column("id").to_pylist()
        known = [row for row in ids if row in seen]
        if known:
            raise StageError(
                f"{where}: {named} was trained or chosen on {len(known):,} of the {len(ids):,} {part} rows, "
                f"such as {known[0]}, and would carry them to the student; give both recipes the same data and "
                "the same `split`, or name another teacher"
            )
