"""Many flow runs at once from four warm processes: each downloads, validates, cleans and splits rows of its own.

    python tests/bench_concurrency.py

16 runs with Prefect on SQLite, and 32 on PostgreSQL where that is installed. Prints how many completed, and the
seconds from a run's beginning to its end (p50, p95): with more runs than cores most of that is waiting for a turn.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
PROCESSES = 4
WORKER = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from prefect import flow
from configs.environment import quiet_tools
quiet_tools()
from configs.load import load_recipe
from flows.stage_graph import stage
from tiny import ROOT, TINY
STAGES = ("download", "validate", "clean", "split")
stages = [stage(name) for name in STAGES]
import great_expectations, pandas

@flow(name="prepare", flow_run_name="{number}", persist_result=False)
def prepare(number: int, path: str) -> float:
    source = "download={kind: file, path: " + path + "}"
    recipe = load_recipe(ROOT / "configs" / "reviews_demo.yaml", [*TINY, "validate.min_rows=100", source])
    began = time.monotonic()
    made = stages[0](recipe.download)
    for name, one in zip(STAGES[1:], stages[1:]):
        made = one(getattr(recipe, name), made)
    return time.monotonic() - began

print("warm", flush=True)
jobs = json.loads(sys.stdin.readline())
with ThreadPoolExecutor(len(jobs)) as pool:
    asked = [pool.submit(copy_context().run, prepare, number, path) for number, path in jobs]
found = []
for one in asked:
    try:
        found.append(one.result())
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
print(json.dumps(found), flush=True)
"""


def measure(api: str, folder: Path, runs: int) -> list[float | str]:
    """Seconds of each run, or its error; the Prefect server behind `api` is somebody else's."""
    from tiny import planted

    (folder / "data").mkdir(parents=True)
    for number in range(runs):
        planted(200, seed=number).to_csv(folder / "data" / f"{number}.csv", index=False)
    env = {
        **os.environ,
        "PREFECT_API_URL": api,
        "TEMPER_HOME": str(folder),
        "TEMPER_DATA": str(folder / "data"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env=env,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None and worker.stdout.readline() == "warm\n"
        for first, worker in enumerate(workers):
            jobs = [(number, f"{number}.csv") for number in range(first, runs, PROCESSES)]
            assert worker.stdin is not None
            worker.stdin.write(json.dumps(jobs) + "\n")
            worker.stdin.flush()
        answers = [worker.communicate(timeout=900)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    return [one for answer in answers for one in json.loads(answer)]


def told(what: str, found: list[float | str]) -> str:
    """One line of a table."""
    seconds = sorted(one for one in found if isinstance(one, float))
    p50, p95 = (statistics.quantiles(seconds, n=20)[at] for at in (9, 18))
    return f"| {what} | {len(seconds)} of {len(found)} | {p50:.1f} | {p95:.1f} |"


def main() -> None:
    """Print the table."""
    from test_up import Up

    print("| Prefect's database | completed | p50 s | p95 s |\n|---|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        for what, runs in (("SQLite", 16), ("PostgreSQL", 32)):
            folder = Path(temporary) / what
            folder.mkdir()
            print(told(what, on(what, folder, runs, Up)), flush=True)


def on(what: str, folder: Path, runs: int, up: type) -> list[float | str]:
    """`measure` against a `temper up` on the database of that name."""
    from contextlib import nullcontext

    from postgres import cluster

    with nullcontext() if what == "SQLite" else cluster() as address:
        servers = up(folder, *(["--database", address] if address else []))
        servers.start()
        try:
            began = time.monotonic()
            found = measure(f"http://127.0.0.1:{servers.prefect}/api", folder / "runs", runs)
            print(
                f"{what}: {runs} runs in {time.monotonic() - began:.0f} s, starting four processes included",
                file=sys.stderr,
            )
            return found
        finally:
            servers.stop()


if __name__ == "__main__":
    main()
