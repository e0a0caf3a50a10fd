"""temper compare: which of several recipes, or of several starts of one, is better on the same test rows."""

from typing import TYPE_CHECKING, Annotated

import typer

from configs.environment import quiet_prefect
from tasks.store.events import listeners

from ..services.temporary_server import prefect_api
from .arguments import AsJson
from .comparison_table import show_comparison
from .console import print_json
from .failures import failures
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from tasks.learn.comparison_document import Compared
    from tasks.store.events import StageLine

    from ..variants import Variant


Starts = Annotated[
    str | None,
    typer.Option(
        "--starts",
        metavar="START,START...",
        help="Compare starts of one recipe instead, the first against the others: `pretrained` (as the recipe "
        "stands), `scratch` (the same net with new weights), `head` (its weights kept, the head alone trained).",
    ),
]


def command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE [KEY=VALUE]...",
            help="Two or more recipes, the first being the one that the others are compared with. Changes behind a "
            "recipe are its own, so that one recipe can stand here twice.",
        ),
    ],
    starts: Starts = None,
    seeds: Annotated[int, typer.Option("--seeds", min=2, help="Trainings of each, seeds train.seed, +1, ….")] = 5,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A change to every recipe; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train recipes over several seeds on the same split and report, by a paired test, which is better.

    `temper compare configs/mnist_mlp.yaml configs/mnist_cnn.yaml` says whether the second helped.

    `temper compare my.yaml my.yaml train.learning_rate=1e-3 --seeds 3` says whether that rate helped.

    `temper compare my.yaml --starts pretrained,scratch,head` says whether the pretrained weights helped or hurt.

    The verdict is `helped`, `hurt` or `undecided`, on test accuracy. Helped and hurt need two things: a confidence
    interval (evaluate.confidence) of the difference without 0, which counts the luck of seeds and of test rows, and
    an exact sign-flip test over the rows. More than one pair is corrected for. The recipes must have the same labels
    and test rows. With split.by: group the groups are the units, not the rows.

    Trainings are the cached ones of `temper run`: what is there is not trained again, a killed comparison goes on
    where it was, and a second call trains nothing. No model is registered and no alias moves. The report and a chart
    go to MLflow, as a run whose children are the trainings, and to Prefect.
    """
    with failures():
        from ..variants import read_variants

        named, variants = read_variants(words, changes or [], starts)
        report, stages = _run(named, variants, seeds, first_is_new=starts is not None)

    if as_json:
        print_json({**report, "stages": stages})
    else:
        show_comparison(report)


def _run(
    named: str, variants: "list[Variant]", seeds: int, *, first_is_new: bool
) -> "tuple[Compared, list[StageLine]]":
    """The report, and what became of each stage of each training."""
    quiet_prefect()

    with ProgressDisplay() as display, listeners(display.show), prefect_api("Prefect", "MLflow"):
        from ..compare import compare

        return compare(named, variants, seeds, first_is_new=first_is_new), display.stages
