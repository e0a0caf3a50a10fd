"""What Prefect's interface shows of a run next to its states: a stage's page, tables, progress, log, and links."""

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from configs.servers import known
from configs.settings import settings, without_password

from .artifact import Artifact, StageError, Version
from .data.escape import markdown, visible
from .output import checked_secret, environment_secret
from .store import usage
from .store.events import Event, emit
from .store.failure import server_is_gone

OFTEN = 2.0
"""Seconds between two states of a progress artifact."""


def in_task() -> bool:
    """Whether a Prefect task is running here."""
    if "prefect" not in sys.modules:
        return False
    from prefect.context import TaskRunContext

    return TaskRunContext.get() is not None


def speaker(name: str) -> Callable[[str], None]:
    """Says a stage's notes to the terminal, and in the run's log."""

    def say(text: str) -> None:
        emit(Event(name, "note", text))
        if in_task():
            from prefect.logging import get_run_logger

            get_run_logger().info("%s", text)

    return say


def progress(name: str) -> Callable[[int, int, str], None]:
    """Progress to the terminal, and every two seconds to Prefect."""
    artifact, last, key = None, 0.0, f"{name.replace('_', '-')}-progress"

    def show(done: int, total: int, text: str) -> None:
        nonlocal artifact, last
        emit(Event(name, "progress", text, done, total))
        if in_task() and total and (time.monotonic() - last > OFTEN or (done >= total and artifact)):
            from prefect.artifacts import create_progress_artifact, update_progress_artifact

            share, last = 100.0 * done / total, time.monotonic()
            if artifact is None:
                artifact = create_progress_artifact(share, key=key, description=text)
            else:
                update_progress_artifact(artifact, share, description=text)

    return show


def publish(name: str, records: Path, failed: Exception | None = None) -> None:
    """Show a stage's summary, pictures and table in Prefect (nothing outside a flow run, or where it failed because the
    server is gone)."""
    if not in_task() or (failed is not None and server_is_gone(failed)):
        return
    name = name.replace("_", "-")  # as Prefect lets a key be written
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    summary, table = records / "summary.md", records / "table.json"
    if summary.exists():
        pictures = [
            f"\n\n![{path.stem}](data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()})"
            for path in sorted(records.glob("*.png"))
        ]
        create_markdown_artifact(summary.read_text(encoding="utf-8") + "".join(pictures), key=f"{name}-summary")
    if table.exists():
        lines = [{key: _plain(value) for key, value in line.items()} for line in json.loads(table.read_text("utf-8"))]
        create_table_artifact(lines, key=f"{name}-table")


def publish_result(result: Artifact | Version) -> None:
    """Show what was registered; or what a stage left and its rows, noting which run of which recipe used them."""
    if isinstance(result, Version):
        publish_version(result)
        return
    publish(result.stage, result.records)
    publish_rows(result)
    record_use(result)


def publish_rows(artifact: Artifact) -> None:
    """Show a stage's rows as a table: how many came in, how many left for which reason, how many went on and where."""
    lines = _rows(artifact) if in_task() else []
    if lines:
        from prefect.artifacts import create_table_artifact

        name = artifact.stage.replace("_", "-")
        create_table_artifact(lines, key=f"{name}-rows", description=f"Rows of {artifact.stage}")


def _rows(artifact: Artifact) -> list[dict[str, str | int]]:
    from .data.ledger import DROPPED, PARTS, read_ledger

    counts = artifact.manifest()["rows"]
    lines: list[dict[str, str | int]] = []
    ledger = artifact.file("ledger.parquet")
    if ledger.is_file():
        entries = read_ledger(ledger)
        here = entries[entries["stage"] == artifact.stage]
        gone = here.loc[here["state"] == DROPPED, "reason"].value_counts()
        lines = [{"rows": f"dropped: {_plain(reason)}", "count": int(count)} for reason, count in gone.items()]
        parts = entries["state"].value_counts()
        lines += [{"rows": f"out, {part}", "count": int(parts[part])} for part in PARTS if part in parts]
    ends: list[list[dict[str, str | int]]] = [
        [{"rows": f"rows {name}", "count": counts[name]}] if name in counts else [] for name in ("in", "out")
    ]
    return [*ends[0], *lines, *ends[1]]


def publish_link(name: str, address: str | None) -> None:
    """Link a stage to its page in MLflow, where a browser can reach one."""
    if address is None or not in_task():
        return
    from prefect.artifacts import create_link_artifact

    create_link_artifact(
        address, link_text="the run in MLflow", key=f"{name}-mlflow", description="Curves as they grow"
    )


def publish_version(version: Version) -> None:
    """Show what was registered and decided, with links to MLflow, and the rows that it changed."""
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    create_markdown_artifact(describe_version(version), key="register-summary")
    changed = version.changed
    if changed is None:
        return
    lines = [
        {"row is": name, **{key: _plain(value) for key, value in row.items()}}
        for name, rows in changed["examples"].items()
        for row in rows
    ]
    if lines:
        description = (
            f"{changed['fixed']:,} rows fixed, {changed['broken']:,} broken, against the champion; some of each"
        )
        create_table_artifact(lines, key="register-changed", description=description)


def describe_version(version: Version) -> str:
    """The page of a registration, in markdown."""
    aliases = ", ".join(version.aliases) or "none"
    place = settings().shown_tracking
    run, page = (version.links.get(name) for name in ("run", "version"))
    lines = [
        f"# {version.name} version {version.version}",
        f"- alias: **{aliases}**",
        f"- verdict: {markdown(version.verdict)}",
        f"- models that had been scored on these test rows, this one included: {version.test_evaluations}",
        f"- address: `{version.uri}`" + (f", [in the registry]({page})" if page else ""),
        f"- MLflow run: [{version.run_id}]({run})" if run else f"- MLflow run: `{version.run_id}` in `{place}`",
    ]
    if version.changed:
        lines.append(
            f"- against the champion: **{version.changed['fixed']:,} rows fixed, "
            f"{version.changed['broken']:,} broken**; some of each in `register-changed`"
        )
    if not run:
        lines += ["", f"To inspect it: `mlflow server --backend-store-uri {place}`"]
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """A value that Prefect's page can show: text in which nothing is hidden, a whole number or a finite one."""
    if isinstance(value, float) and value not in (float("inf"), float("-inf")) and value == value:
        return round(value, 6)
    return value if isinstance(value, int) and not isinstance(value, bool) else visible(str(value))


def secret(name: str) -> str:
    """The environment variable of this name, else the Prefect Secret block. Raises StageError; logs nothing."""
    if os.environ.get(name, "").strip() or not in_task():
        return environment_secret(name)
    from prefect.blocks.system import Secret

    try:
        block: Any = Secret.load(name)
        value = block.value.get_secret_value()  # get() would make a number of a token of digits
    except ValueError:
        raise StageError(
            f"neither an environment variable nor a Prefect Secret block is called {name}; set one of them"
        ) from None
    return checked_secret(name, str(value).strip())


def flow_links() -> dict[str, str]:
    """Id, name, address and recipe of the Prefect flow run that is running; empty outside one."""
    run, recipe = _running()
    if run is None:
        return {}
    links = {"prefect.flow_run_id": str(run.id), "prefect.flow_run_name": run.name}
    if (address := _interface()) is not None:
        links["prefect.flow_run_url"] = f"{address}/runs/flow-run/{run.id}"
    return links | ({"temper.recipe": recipe} if recipe is not None else {})


def record_use(artifact: Artifact) -> None:
    """Note which run of which recipe used an artifact, so that `temper gc` keeps what the last runs used."""
    run, recipe = _running()
    if run is not None and recipe is not None:
        usage.record(recipe, str(run.id), artifact.stage, artifact.key)


def recipe_name() -> str:
    """The name of the recipe that the flow which is running was given; empty where there is none."""
    return _running()[1] or ""


def _running() -> tuple[Any, str | None]:
    """The Prefect flow run that is running, and the name of the recipe that it was given; None for what is not there.

    The flow retrain is given a recipe's file, which has no name.
    """
    if "prefect" not in sys.modules:  # no flow is running, and to load Prefect takes seconds
        return None, None
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return None, None
    return context.flow_run, getattr((context.parameters or {}).get("recipe"), "name", None)


def _interface() -> str | None:
    """Address of Prefect's interface; None for a server that goes with the run."""
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, Settings

    kept = known(settings().mlruns)
    lasting = {Settings().api.url, kept.prefect if kept else None}  # what holds for this run alone left out
    if not PREFECT_API_URL.value() or PREFECT_API_URL.value() not in lasting or not PREFECT_UI_URL.value():
        return None
    return without_password(str(PREFECT_UI_URL.value())).rstrip("/")
