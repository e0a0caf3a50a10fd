"""distill: a recipe with teachers comes in; what its student gains by them, and what it saves, goes out, measured."""

from typing import TYPE_CHECKING, cast

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from tasks.artifact import Artifact
from tasks.learn.comparison_document import Compared, Logged
from tasks.published import flow_links

from .compare import Measured, Question, Trained, report, tested_units, train_all
from .hooks import watched
from .variants import Variant

if TYPE_CHECKING:
    from configs.teacher import Teacher


@flow(name="distill", flow_run_name="{name}", persist_result=False, **watched())
def distill(name: str, variants: list[Variant], seeds: int) -> Compared:
    """Train the student (the first variant) and the others with `seeds` seeds, and report it against each of them and
    against its teachers, with the sizes and times of all; registers no model.

    Returns the report as of learn/comparison.py. Raises StageError where the test rows are not the same, or a teacher
    knows them, and DataError where a teacher cannot read them.
    """
    trained, rows, done = train_all(variants, seeds)
    measured = measure(trained, rows)
    logged: Logged = report(Question(name, True, "distill", measured), trained, rows, flow_links())
    return {**logged, "trained": done, "cached": len(trained) - done}


@task(name="measure", cache_policy=NO_CACHE, persist_result=False)
def measure(trained: list[Trained], rows: tuple[Artifact, Artifact]) -> Measured:
    """Ask the teachers the test rows, and take size and time of them and of one training of each variant."""
    from tasks.kinds.standing_models import asked_contents, costs, teachers_right
    from tasks.learn.comparison import Side
    from tasks.tracking.models import model_folder

    recipe = trained[0].recipe
    taught = cast("Teacher", recipe.train.teacher)
    ids, _ = tested_units(rows, by_group=False)
    labels, contents = asked_contents(rows[0].file("test.parquet").parent, ids)
    folders = [model_folder(model.name, model.version) for model in taught.models]
    right = teachers_right(folders, labels, contents, recipe.evaluate.batch_size)
    teacher = Side(_named(taught), (), right, ())
    models = {trial.variant: [trial.model.file("encoding.json").parent] for trial in reversed(trained)}
    return Measured([teacher], costs({**models, teacher.name: folders}, contents))


def _named(taught: "Teacher") -> str:
    from tasks.tracking.models import version_number

    each = [f"{model.name} version {version_number(model.name, model.version)}" for model in taught.models]
    return f"teacher{'s' * (len(each) > 1)} {', '.join(each)}"
