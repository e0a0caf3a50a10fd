"""A year of scheduled runs on a clock of its own: `python tests/simulated_year.py [DAYS]`, 365 where nothing is given.

Three recipes run once a day, by cron in London and on Lord Howe Island and by an interval, through 365 days that end
today. Prefect's scheduler is asked with explicit times, day by day, on a server of its own; each run that is due is the
flow retrain in a process of its own. Nothing waits for a due time. Meanwhile data grow, processes are killed, a disk is
full, the Hub is not reachable for a month, the machine is off for a week, a library gets another version, and the clock
steps back.

Printed is a table of what became of the runs, and a line for each of these that does not hold: every due time has one
run, each ends, what failed has its reason; each change of the data became one version, the champion's rows are among
those that there are, each version has its decision; nothing is left half done, and the disk is within its budget.
"""

import importlib
import itertools
import json
import os
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

DAY = timedelta(days=1)
BUDGET = 60 * 2**20
"""Bytes of artifacts that gc leaves."""
RECIPE = """
name: {name}
download: {download}
validate: {{min_rows: 20, max_duplicates: 0.9}}
clean: {{steps: [missing]}}
split: {{kind: hash, train: 0.6, validation: 0.1, test: 0.3, near_copies: keep}}
encode: {{kind: classifier, tokenizer: {{kind: train, vocab_size: 350}}, max_length: 24}}
train:
  model: {{kind: new, family: bert, config: {{hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2,
    intermediate_size: 16, max_position_embeddings: 24}}}}
  learning_rate: 1e-2
  epochs: 2
  batch_size: 16
  eval_steps: 5
evaluate: {{bootstrap: 100}}
register: {{model: {name}, metric: accuracy}}
schedule: {schedule}
"""
SCHEDULES = {
    "london": ("30 1 * * *", "Europe/London"),
    "lord-howe": ("0 3 * * *", "Australia/Lord_Howe"),
    "interval": None,
}
HUB = "lord-howe"
"""The recipe whose data lie on the Hub."""


@dataclass(frozen=True)
class Story:
    """What happens on which days, counted from 0. grows: by recipe; killed: (day, recipe)."""

    days: int
    grows: dict[str, frozenset[int]]
    killed: frozenset[tuple[int, str]]
    full: frozenset[int]
    offline: range
    off: range
    upgrade: int
    step: int

    @classmethod
    def told(cls, days: int) -> "Story":
        """That of so many days, always the same."""
        draw = random.Random(11)
        off = range(days // 2, days // 2 + max(days // 50, 1))
        offline = range(days // 5, days // 5 + max(days // 12, 2))
        grows = {name: frozenset(draw.sample(range(1, days - 2), max(days // 18, 2))) for name in SCHEDULES}
        some = sorted({(day, name) for name, each in grows.items() for day in each if day not in off})
        killed = frozenset(draw.sample(some, min(max(days * 20 // 365, 1), len(some) - 2)))
        left = [day for day, name in some if (day, name) not in killed and name != HUB]
        full = frozenset(draw.sample(left, min(2, len(left))))
        return cls(days, grows, killed, full, offline, off, upgrade=days * 2 // 3, step=days * 3 // 4)


@dataclass
class Told:
    """What became of each run: (day, recipe, word, reason)."""

    runs: list[tuple[int, str, str, str]] = field(default_factory=list)
    skipped: int = 0


def texts(name: str, parts: int) -> str:
    """A CSV of 60 rows, and 12 more for each further part: the last word tells the label."""
    draw = random.Random(name)
    words = ["".join(draw.choices("abcdefghijklmnoprstu", k=5)) for _ in range(300)]
    lines = ["text,label"]
    for _ in range(60 + 12 * (parts - 1)):
        label = draw.choice(["neg", "pos"])
        lines.append(f"{' '.join(draw.sample(words, 8))} {'bad' if label == 'neg' else 'good'},{label}")
    return "\n".join(lines) + "\n"


def write_recipes(folder: Path) -> dict[str, Path]:
    """The recipes' files, by name."""
    paths = {}
    for name, when in SCHEDULES.items():
        download = "{kind: hub, repo: year/rows}" if name == HUB else f"{{kind: file, path: {name}.csv}}"
        schedule = "{interval: 86400}" if when is None else f"{{cron: '{when[0]}', timezone: {when[1]}}}"
        paths[name] = folder / f"{name}.yaml"
        paths[name].write_text(RECIPE.format(name=name, download=download, schedule=schedule), encoding="utf-8")
    return paths


def serve_hub(versions: Sequence[str], counter: Path) -> str:
    """The Hub in a process of its own, whose data set is the version that the file `counter` names, and at which nobody
    answers while it is 0; its address."""
    from hub_server import Hub

    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        hub, shown, open_ = Hub(), 0, True
        os.write(writer, f"{hub.url}\n".encode())
        os.close(writer)
        parent, hub.timeout = os.getppid(), 0.2
        while os.getppid() == parent and counter.exists():
            wanted = int(counter.read_text() or shown)
            if open_ and not wanted:
                hub.socket.close()
            elif wanted and not open_:
                hub.socket = socket.socket(hub.address_family, hub.socket_type)
                hub.server_bind()
                hub.server_activate()
            open_ = bool(wanted)
            if wanted > shown:
                shown = wanted
                hub.add("dataset", "year/rows", {"rows.csv": versions[shown - 1].encode()})
            if open_:
                hub.handle_request()
            else:
                time.sleep(0.2)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as lines:
        return lines.readline().strip()


def deploy(paths: dict[str, Path]) -> dict[str, str]:
    """Put the recipes on the schedule; their deployments' ids."""
    from prefect.client.orchestration import get_client

    from flows.deployments import pool_type, register, scheduled

    pool_type("temper")
    for path in paths.values():
        register(path, scheduled(path), "temper")
    with get_client(sync_client=True) as api:
        return {name: str(api.read_deployment_by_name(f"retrain/{name}").id) for name in paths}


def begin_day(deployments: dict[str, str], start: str, stop: str, back: bool) -> dict[str, Any]:
    """Ask Prefect's scheduler for a day, mark what was killed, skip what was missed; the due runs, in order."""
    import asyncio
    from uuid import UUID

    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters as by
    from prefect.server import models
    from prefect.server.database import provide_database_interface
    from sqlalchemy.exc import OperationalError

    from flows.services.crashed_runs import mark_crashed, skip_missed

    first, last = datetime.fromisoformat(start), datetime.fromisoformat(stop)

    async def schedule() -> None:
        async with provide_database_interface().session_context(begin_transaction=True) as session:
            for number in deployments.values():
                await models.deployments.schedule_runs(
                    session=session, deployment_id=UUID(number), start_time=first, end_time=last, min_runs=1,
                    max_runs=20, min_time=last - first,
                )  # fmt: skip

    for again in range(9, -1, -1):
        try:
            asyncio.run(schedule())
            break
        except OperationalError:  # the server holds its database; Prefect's scheduler comes round again too
            if not again:
                raise
            time.sleep(1)
    said: list[str] = []
    with get_client(sync_client=True) as api:
        mark_crashed(api, said.append, shared=False)
        if back:
            skip_missed(api, said.append)
        wanted = by.FlowRunFilter(
            state=by.FlowRunFilterState(type=by.FlowRunFilterStateType(any_=["SCHEDULED"])),
            expected_start_time=by.FlowRunFilterExpectedStartTime(before_=last),
        )
        runs = api.read_flow_runs(flow_run_filter=wanted, limit=200)
    names = {number: name for name, number in deployments.items()}
    due = sorted((run.expected_start_time.isoformat(), names[str(run.deployment_id)], str(run.id)) for run in runs)
    return {"due": due, "said": said}


def execute(run_id: str, full: bool, upgraded: bool) -> list[str]:
    """Do a run that is due; name and message of the state that it ends in."""
    import errno
    from uuid import UUID

    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow

    from flows.drill.planting import spoil
    from flows.retrain import retrain
    from tasks.store import code, disk

    def no_space(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if full:
        spoil(disk, "_sync", lambda original: no_space)
    if upgraded:
        spoil(
            code,
            "versions",
            lambda own: lambda names: {**own(names), **{n: "99.0" for n in names if n == "tokenizers"}},
        )
    with get_client(sync_client=True) as api:
        run = api.read_flow_run(UUID(run_id))
    state: Any = run_flow(retrain, flow_run=run, return_type="state")
    return [state.name, str(state.message)]


def sweep() -> list[float]:
    """`temper gc --delete` within the budget, two months later; bytes of artifacts that are left."""
    real = time.time
    time.time = lambda: real() + 60 * DAY.total_seconds()
    from configs.settings import settings
    from flows.cli.gc import command

    command(dry_run=False, keep_days=30, budget_gib=BUDGET / 2**30)
    return [sum(path.stat().st_size for path in settings().store.rglob("*") if path.is_file())]


def at_the_end(deployments: dict[str, str]) -> dict[str, Any]:
    """What Prefect, MLflow and the store hold."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters as by

    from configs.settings import settings
    from tasks.tracking import decisions, runs
    from tasks.tracking.report_pages import kept_artifacts
    from tasks.tracking.wire_format import DECISION

    named = by.FlowFilter(name=by.FlowFilterName(any_=["retrain"]))
    states: Counter[str] = Counter()
    times: Counter[str] = Counter()
    with get_client(sync_client=True) as api:
        for offset in itertools.count(0, 200):
            page = api.read_flow_runs(flow_filter=named, limit=200, offset=offset)
            states.update(run.state_type.value for run in page)
            times.update(f"{run.deployment_id} {run.expected_start_time}" for run in page)
            if len(page) < 200:
                break
    client, models = runs.client(), {}
    for name in deployments:
        versions = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda each: int(each.version))
        champion = decisions.champion(client, name)
        log = decisions.entries(client, name)
        stages = kept_artifacts(versions[-1])
        models[name] = {
            "versions": len(versions),
            "undecided": [each.version for each in versions if DECISION not in each.tags],
            "without entry": decisions.lost(versions, log),
            "champion": None if champion is None else str(champion.version),
            "rows": None if stages is None else sum(stages["download"].manifest()["rows"].values()),
        }
    open_runs = [
        run.info.run_id
        for experiment in client.search_experiments()
        for run in client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
    ]
    partial = [str(path.name) for path in settings().store.glob("*/*.partial*")]
    return {
        "states": dict(states), "twice": [each for each, count in times.items() if count > 1], "models": models,
        "open": open_runs, "partial": partial,
    }  # fmt: skip


def year(story: Story, folder: Path) -> Iterator[str]:
    """Live through it; lines of the table, and a line for each thing that does not hold."""
    from flows.drill.children import Ended, in_child

    log, data, parts = folder / "log.txt", folder / "data", dict.fromkeys(SCHEDULES, 1)
    paths, told, draw = write_recipes(folder), Told(), random.Random(5)
    for name in SCHEDULES:
        (data / f"{name}.csv").write_text(texts(name, 1), encoding="utf-8")

    def done(work: Any, seconds: float = 900.0) -> Ended:
        return in_child(work, log=log, seconds=seconds)

    def must(work: Any) -> Any:
        ended = done(work)
        if ended.error:
            raise RuntimeError(f"{ended.error}; see {log}")
        return ended.result

    deployments = must(lambda: deploy(paths))
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - story.days * DAY
    sizes: list[float] = []
    for day in range(story.days):
        start, stop = first + day * DAY, first + (day + 1) * DAY - timedelta(seconds=1)
        if day == story.step:
            start -= timedelta(hours=25)  # the clock was set back: the day before is asked for again
        for name, days in story.grows.items():
            if day in days:
                parts[name] += 1
                (data / f"{name}.csv").write_text(texts(name, parts[name]), encoding="utf-8")
        version = "0" if day in story.offline else str(parts[HUB])
        if (folder / "hub").read_text(encoding="utf-8") != version:
            (folder / "hub").write_text(version, encoding="utf-8")
            time.sleep(0.5)  # for the Hub to read it
        back = day == story.off.stop
        print(f"day {day}: {dict(Counter(word for _, _, word, _ in told.runs))}", file=sys.stderr, flush=True)
        begun = must(lambda start=start, stop=stop, back=back: begin_day(
            deployments, start.isoformat(), stop.isoformat(), back))  # fmt: skip
        told.skipped += sum(int(line.split(": ")[1].split()[0]) for line in begun["said"] if "missed runs" in line)
        if day in story.off:
            continue
        for _, name, number in begun["due"]:
            planted = (day, name) in story.killed
            ended = done(
                lambda number=number, name=name, day=day: execute(
                    number, day in story.full and day in story.grows[name], day >= story.upgrade
                ),
                draw.uniform(0.5, 10) if planted else 900.0,
            )
            word, reason = ("killed", "") if ended.killed or (ended.error or ("",))[0] == "TimeoutError" else ("", "")
            if not word:
                state, reason = ended.result or ["", str(ended.error)]
                word = reason.partition(":")[0].partition(" ")[0] if state == "Completed" else state.lower()
            told.runs.append((day, name, word, reason))
        if day % 30 == 29:
            sizes += must(sweep)
    sizes += must(sweep)
    end = must(lambda: at_the_end(deployments))
    yield from table(story, told, end, sizes, parts)


def table(
    story: Story, told: Told, end: dict[str, Any], sizes: Sequence[float], parts: dict[str, int]
) -> Iterator[str]:
    """Lines of Markdown, and a line that begins with FAULT for each thing that does not hold."""
    words = sorted({word for _, _, word, _ in told.runs})
    yield f"| recipe | {' | '.join(words)} | versions | champion |"
    yield "|---|" + "---:|" * (len(words) + 2)
    for name in SCHEDULES:
        counts = Counter(word for _, each, word, _ in told.runs if each == name)
        model = end["models"][name]
        cells = [str(counts[word]) for word in words]
        yield f"| {name} | {' | '.join(cells)} | {model['versions']} | {model['champion']} |"
    yield ""
    yield f"{len(told.runs)} runs of {story.days} days, {told.skipped} missed ones skipped; states {end['states']}"
    yield f"artifacts after each gc: {', '.join(f'{size / 2**20:.1f}' for size in sizes)} MiB of {BUDGET / 2**20:.0f}"
    for reason, count in Counter((word, reason[:160]) for _, _, word, reason in told.runs if word == "failed").items():
        yield f"{count} failed: {reason[1]}"
    yield from (f"FAULT: {each}" for each in faults(story, told, end, sizes, parts))


def faults(
    story: Story, told: Told, end: dict[str, Any], sizes: Sequence[float], parts: dict[str, int]
) -> Iterator[str]:
    """What does not hold."""
    for name in SCHEDULES:
        times = Counter(day for day, each, _, _ in told.runs if each == name)
        if lost := [day for day in range(story.days) if day not in story.off and not times[day]]:
            yield f"{name}: no run on the days {lost}"
        changes = sum(1 for day in story.grows[name]) + 1
        model = end["models"][name]
        upgrade = 1
        if not 2 <= model["versions"] <= changes + upgrade:
            yield f"{name}: {model['versions']} versions of {changes} states of the data and a new library"
        if model["champion"] is None or model["undecided"] or model["without entry"]:
            yield f"{name}: versions without a decision: {model}"
        rows = texts(name, parts[name]).count("\n") - 1
        if model["rows"] != rows:
            yield f"{name}: the newest version has {model['rows']} of {rows} rows"
    for day, name, word, reason in told.runs:
        allowed = (day in story.full and "space" in reason) or (name == HUB and day in story.offline)
        if word in ("failed", "crashed", "") and not allowed:
            yield f"day {day}, {name}: {word} {reason[:300]}"
    if end["twice"]:
        yield f"due times with two runs: {end['twice'][:5]}"
    if left := {state for state in end["states"] if state not in ("COMPLETED", "FAILED", "CRASHED")}:
        yield f"runs in the states {left}"
    if end["open"] or end["partial"]:
        yield f"left half done: MLflow runs {end['open']}, artifacts {end['partial']}"
    if sizes[-1] > BUDGET:
        yield f"{sizes[-1] / 2**20:.1f} MiB of artifacts, and the budget is {BUDGET / 2**20:.0f}"


def main() -> None:
    """In a home of its own, whose Prefect server schedules nothing by itself."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 365
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TEMPER_"))]:
            del os.environ[name]
        os.environ.update(
            {
                "TEMPER_HOME": str(folder / "home"), "TEMPER_DATA": str(folder / "data"), "TEMPER_KEEP_DAYS": "1000",
                "HF_HOME": str(folder / "huggingface"), "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1",
                "PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
                "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "ERROR",
            }
        )  # fmt: skip
        for name in ("home", "data"):
            (folder / name).mkdir()
        story = Story.told(days)
        (folder / "hub").write_text("1", encoding="utf-8")
        versions = [texts(HUB, 1 + part) for part in range(len(story.grows[HUB]) + 1)]
        os.environ["HF_ENDPOINT"] = serve_hub(versions, folder / "hub")
        from configs.environment import quiet_tools

        quiet_tools()
        from flows.services.temporary_server import initialise, prefect_api

        initialise()
        from flows.preload import ENGINE, LOADS

        for name in ("flows.retrain", "tasks.tracking.registry", *ENGINE, *itertools.chain(*LOADS.values())):
            importlib.import_module(name)  # before the first fork, so that each run finds it loaded
        began, wrong = time.monotonic(), 0
        with prefect_api():
            for line in year(story, folder):
                print(line, flush=True)
                wrong += line.startswith("FAULT")
        print(json.dumps({"seconds": round(time.monotonic() - began), "faults": wrong}))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
