"""Rows per second, growth and memory of download, validate and split: `python tests/bench_stages.py [name …]`.

Each measurement is one stage on `bench_clean.py`'s natural texts, in a process of its own, with all that the stage
writes: rows, ledger, records, manifest. `clean` is measured step by step in `bench_clean.py`. The rows have a group, a
moment and a given split besides. Time is the processor's, so that other work on the machine does not count; Great
Expectations alone is imported before. Growth is the time for ten times the rows by that for the fewer; memory is the
peak of the process above what it held when the stage began (Linux only). TEMPER_BENCH_ROWS (100000) are the fewer.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from configs.environment import quiet_tools  # noqa: E402

quiet_tools()

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from bench_clean import memory, texts  # noqa: E402

SMALL = int(os.environ.get("TEMPER_BENCH_ROWS", "100000"))
COLUMNS = {"split": "part", "group": "writer", "time": "moment"}
HASHED = {"kind": "hash"}
TIMED = {"kind": "time", "validation_from": "2020-01-13", "test_from": "2020-01-14"}
PLAN: dict[str, tuple[str, dict[str, Any]]] = {
    "download, CSV": ("download", {"path": "rows.csv"}),
    "download, JSON lines": ("download", {"path": "rows.jsonl"}),
    "download, Parquet": ("download", {"path": "rows.parquet"}),
    "validate": ("validate", {}),
    "split by hash, without a search for near-copies": ("split", {**HASHED, "near_copies": "keep"}),
    "split by hash": ("split", HASHED),
    "split by hash, exact": ("split", {**HASHED, "exact": True}),
    "split by group": ("split", {**HASHED, "by": "group"}),
    "split by time": ("split", TIMED),
    "split as given": ("split", {"kind": "given"}),
}
BEFORE = {"download": (), "validate": ("download",), "split": ("download", "validate", "clean")}


def rows(count: int) -> pd.DataFrame:
    """Texts and labels, one of 5,000 writers, moments over two weeks, a part for each row."""
    rng = np.random.default_rng(2)
    made = texts(count)[["text", "label"]]
    made["text"] = made["text"].str.replace("\x00", "")  # CSV has none
    parts = rng.choice(["train", "validation", "test"], count, p=[0.8, 0.1, 0.1])
    moments = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 14 * 86_400, count), unit="s")
    writers = "writer " + pd.Series(rng.integers(0, 5_000, count)).astype("str")
    return made.assign(part=parts, writer=writers, moment=moments.strftime("%Y-%m-%dT%H:%M:%SZ"))


def made(folder: Path, count: int) -> Path:
    """The folder with so many rows in every format, made once."""
    folder = folder / str(count)
    if not folder.exists():
        folder.mkdir()
        table = rows(count)
        table.to_csv(folder / "rows.csv", index=False)
        table.to_json(folder / "rows.jsonl", orient="records", lines=True, force_ascii=False)
        table.to_parquet(folder / "rows.parquet", index=False)
    return folder


def sections(stage: str, values: dict[str, Any]) -> dict[str, Any]:
    """The recipe's sections up to the stage, the last one with these values."""
    from configs.load import load_recipe

    told = {
        "name": "bench",
        "download": {"kind": "file", "path": "rows.parquet", "columns": COLUMNS},
        "validate": {"labels": ["neg", "pos"], "max_duplicates": 0.2},
        "clean": {"steps": ["missing", "duplicates"]},
        "split": HASHED,
        "encode": {"kind": "label_word", "tokenizer": {"kind": "train", "vocab_size": 300}},
        "train": {"model": {"kind": "new", "family": "gpt2", "config": {"n_layer": 1}}},
        "register": {"model": "bench"},
    }
    told[stage] = {**told[stage], **values} if stage == "download" else values if stage == "split" else told[stage]
    path = Path("bench.yaml")
    path.write_text(json.dumps(told), encoding="utf-8")
    loaded = load_recipe(path, [])
    return {name: getattr(loaded, name) for name in ("download", "validate", "clean", "split")}


def measure(name: str) -> None:
    """Run one stage in this process, those before it unmeasured, and print what it took."""
    from flows.stage_graph import stage as stage_of

    stage, values = PLAN[name]
    chosen = sections(stage, values)
    inputs: dict[str, Any] = {}
    for before in BEFORE[stage]:
        one = stage_of(before)
        inputs = {next(iter(one.parameters)): inputs["last"]} if inputs else {}
        inputs = {"last": one.run_or_load(chosen[before], inputs).result}
    one = stage_of(stage)
    given = {next(iter(one.parameters)): inputs["last"]} if inputs else {}
    _import_first(stage)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of what came before
    held, start = memory("VmRSS"), time.process_time()
    one.run_or_load(chosen[stage], given)
    print(json.dumps({"seconds": time.process_time() - start, "peak": memory("VmHWM") - held}))


def _import_first(stage: str) -> None:
    if stage == "validate":
        import great_expectations  # noqa: F401

        import tasks.data.checks.expectations  # noqa: F401


def run(name: str, folder: Path) -> dict[str, float]:
    """What `measure` tells from a process of its own, whose stage is not cached."""
    stage = PLAN[name][0]
    subprocess.run(["rm", "-rf", str(folder / "home" / ".artifacts" / stage)], check=True)
    own = {"TEMPER_HOME": str(folder / "home"), "TEMPER_DATA": str(folder)}
    command = [sys.executable, str(Path(__file__).resolve()), "--one", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder, env=os.environ | own)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(chosen: list[str]) -> None:
    """Print the table."""
    sizes = (SMALL, 10 * SMALL)
    print(f"| stage | {sizes[0]:,} rows | {sizes[1]:,} rows | growth | MiB | MiB |\n|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as temporary:
        for name in [name for name in PLAN if not chosen or name in chosen]:
            few, many = (run(name, made(Path(temporary), size)) for size in sizes)
            rates = [f"{size / got['seconds']:,.0f}" for size, got in zip(sizes, (few, many), strict=True)]
            cells = [*rates, f"{many['seconds'] / few['seconds']:.1f}", f"{few['peak']:,.0f}", f"{many['peak']:,.0f}"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2])
    else:
        main(sys.argv[1:])
