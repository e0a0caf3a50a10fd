"""retrain: a recipe again and again: nothing is done while nothing changed, else its model meets the champion."""

import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger, runtime
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.states import Completed, Scheduled

from configs.environment import quiet_tools
from configs.load import load_recipe
from configs.schema import Recipe
from configs.settings import settings
from tasks.artifact import Version
from tasks.data.escape import markdown
from tasks.download import download
from tasks.published import flow_links
from tasks.store import living
from tasks.store.changes import all_in_words
from tasks.store.events import Event, StageLine, listeners
from tasks.store.lock import locked
from tasks.tracking.lookup import BEFORE, Settled, still_valid

from .estimates.disk_space import lack_for
from .finetune import finetune
from .hooks import watched
from .plan import plan
from .preload import prove_ahead
from .services.named_runs import name_of

if TYPE_CHECKING:
    from tasks.artifact import Artifact

EVENT = "temper.model"
"""What automations listen to: temper.model.promoted, .kept, .undecided."""


@flow(name="retrain", flow_run_name=lambda: called(), persist_result=False, **watched())
def retrain(recipe: str, overrides: tuple[str, ...] = ()) -> State[Any]:
    """Run a recipe if its sources, its sections or its code have changed since the last time.

    Args:
        recipe: File of the recipe, read when the run begins.
        overrides: Changes to it, each as section.key=value.
    """
    quiet_tools()  # before any of them is loaded, for workers that `temper up` did not start
    quiet_others()
    loaded = load_recipe(Path(recipe), overrides)
    say = get_run_logger().info
    delay(loaded)
    with (
        listeners(lambda event: hear(event, say), prove_ahead),
        alone(loaded.name, lambda: say("another run of it is at work; waiting")),
    ):
        planned = plan(loaded, ask=True)
        stages, _, cached = planned
        if settled := known(loaded, cached):
            return unchanged(settled["version"], settled["verdict"], say=say)
        say("changed: %s", "; ".join(reasons(stages)))
        if lack := lack_for(loaded, planned):
            get_run_logger().warning(lack)
        tell_difference(loaded, say)
        return ended(loaded, finetune(loaded))


def called() -> str:
    """The run's name: by its recipe, which the deployment is named by; by the recipe's file without one."""
    return name_of(runtime.deployment.name or Path(runtime.flow_run.parameters["recipe"]).stem)


def quiet_others() -> None:
    """Keep what libraries remark off the terminal where INFO is shown: Great Expectations lowers its own level."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(worth_showing)


def worth_showing(record: logging.LogRecord) -> bool:
    """Whether a line is of Prefect, through which Temper's go too, or a warning."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] == "prefect"


@contextmanager
def alone(name: str, waiting: Any) -> Iterator[None]:
    """One run of a recipe at a time on this machine."""
    with locked(settings().mlruns / "retrain" / "recipes" / f"{name}.lock", waiting=waiting):
        yield


def delay(recipe: Recipe) -> None:
    """Put the run off by the schedule's jitter, if the schedule began it: its process ends, and holds up no other run
    meanwhile. Raises Pause, which reports it to Prefect's engine."""
    run = flow_run()
    if recipe.schedule is None or not run.auto_scheduled or run.expected_start_time is None:
        return
    due = run.expected_start_time + timedelta(seconds=lateness(str(run.id), recipe.schedule.jitter))
    if due <= datetime.now(UTC):
        return
    from prefect.client.orchestration import get_client
    from prefect.exceptions import Pause

    get_run_logger().info("put off until %s, by the jitter of its schedule", due.strftime("%Y-%m-%d %H:%M:%S UTC"))
    state: State[Any] = Scheduled(scheduled_time=due, message="put off by the jitter of its schedule")
    with get_client(sync_client=True) as api:
        api.set_flow_run_state(run.id, state)
    living.release("flow", str(run.id))
    raise Pause(state=state)


def lateness(run_id: str, jitter: int) -> float:
    """Seconds between 0 and `jitter`, drawn by the run's id."""
    return random.Random(run_id).uniform(0, jitter)


def flow_run() -> Any:
    """The flow run that is running."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    assert context is not None
    return context.flow_run


def known(recipe: Recipe, cached: "dict[str, Artifact]") -> Settled | None:
    """What the registry states about the model, where every stage is cached and the model is settled."""
    if "train" not in cached or "evaluate" not in cached:
        return None
    from tasks.tracking.registry import settled

    scores = json.loads(cached["evaluate"].file("report.json").read_text(encoding="utf-8"))["scores"]
    settled_version = settled(recipe.register.model, cached["train"].digest, scores, flow_links())
    return still_valid(settled_version, cached["evaluate"].digest)


def unchanged(version: str, verdict: str, *, say: Any, same: str = "sources, recipe and code are those") -> State[Any]:
    """A run that decided nothing, recorded as such: an old verdict is no event of its own."""
    text = f"{same} of version {version}"
    earlier = verdict.removeprefix(BEFORE)
    say("unchanged: %s (%s)", text, earlier)
    create_markdown_artifact(
        f"# Unchanged\n\n{markdown(f'{text}; nothing was decided.')}\n\nThen: {markdown(earlier)}",
        key="retrain-summary",
    )
    show("unchanged", f"version {version}")
    return Completed(message=f"unchanged: {text}")


def show(word: str, what: str) -> None:
    """What a run came to, where Prefect's pages list runs: in its name and its tags.

    Its state keeps Prefect's own name: pages filter by these, and leave out runs whose state has another.
    """
    from prefect.client.orchestration import get_client

    run = flow_run()
    with get_client(sync_client=True) as api:
        name = f"{run.name.partition(': ')[0]}: {word}, {what}"
        api.update_flow_run(run.id, name=name, tags=sorted({*run.tags, word}))


def reasons(stages: list[StageLine]) -> list[str]:
    """What is new, by stage; stages behind the first that runs only wait for it."""
    first = next((line for line in stages if line["status"] in ("run", "resumed")), None)
    if first is None:
        return ["the model is not registered yet"]
    return all_in_words(first["changed"], first["stage"])[:8] or [f"{first['stage']} was never run"]


def tell_difference(recipe: Recipe, say: Any) -> None:
    """Download, and say how the rows differ from those of the version before, where the store still has them."""
    from tasks.tracking.run_data import rows_before

    raw = download(recipe.download)
    before = rows_before(recipe.register.model)
    if before is None or before[1].digest == raw.digest:
        return
    from tasks.data.difference import difference
    from tasks.data.rows import read_rows

    changes = difference(*(read_rows(artifact.file("rows.parquet")) for artifact in (before[1], raw)))
    say("rows against version %s: %s", before[0], changes.text)
    about = f"Against version {before[0]}: {changes.text}"
    create_table_artifact([{**line} for line in changes.lines], key="data-difference", description=about)


def ended(recipe: Recipe, version: Version) -> State[Any]:
    """The end of a run that went through all stages: a decision, or a model that was registered and judged before."""
    if version.known:
        say = get_run_logger().info
        return unchanged(version.version, version.verdict, say=say, same="the model that came out is that")
    return judged(recipe, version)


def judged(recipe: Recipe, version: Version) -> State[Any]:
    """The end of a run that decided something: its verdict in the state's message, and an event for automations."""
    from prefect.events import emit_event

    word = version.verdict.removeprefix(BEFORE).partition(":")[0].partition(" ")[0]
    payload = {"model": version.name, "version": version.version, "verdict": version.verdict, "recipe": recipe.name}
    emit_event(f"{EVENT}.{word}", {"prefect.resource.id": f"temper.model.{version.name}"}, payload=payload)
    get_run_logger().info("%s version %s: %s", version.name, version.version, version.verdict)
    lines = [
        f"# {version.name} version {version.version}",
        "",
        markdown(version.verdict),
        "",
        f"Recipe: {recipe.name}.",
    ]
    create_markdown_artifact("\n".join(lines), key="retrain-summary")
    show(word, f"version {version.version}")
    return Completed(message=version.verdict)


def hear(event: Event, say: Any) -> None:
    """A stage's events as lines of the run's log."""
    if event.kind == "finished":
        say("%s %s in %.1f s", event.stage, {"run": "done"}.get(str(event.status), event.status), event.seconds)
    elif event.kind in ("note", "failed"):
        say("%s: %s", event.stage, event.text or "failed")
