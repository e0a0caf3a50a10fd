"""Expectations on 1e6 texts against the same checks by hand in pandas: `python tests/bench_validate.py [rows]`.

Both sides in turn in one run; the import of Great Expectations (once per process) and a second run with a few bad rows
of each kind in quarantine are given apart. Memory is what a fresh process holds at its highest, less what it held with
the rows made and Great Expectations imported.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from configs.environment import quiet_tools  # noqa: E402

quiet_tools()

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from configs.expectations import Validate  # noqa: E402
from tasks.data.checks.expectations import check_rows  # noqa: E402

ROUNDS = 5
GOAL = 5


def make_rows(count: int) -> pd.DataFrame:
    """Twelve words of 5,000 a text, two labels, ids as long as real ones."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(5000)])
    text = pd.Series(words[rng.integers(0, 5000, count)], dtype="str")
    for _ in range(11):
        text = text + " " + pd.Series(words[rng.integers(0, 5000, count)], dtype="str")
    rows = {
        "id": pd.Series(np.arange(count), dtype="str").str.zfill(16) + "-0",
        "text": text,
        "label": np.array(["neg", "pos"])[rng.integers(0, 2, count)],
        "split": None,
    }
    return pd.DataFrame(rows).astype(dict.fromkeys(rows, "str"))


def by_hand(rows: pd.DataFrame, section: Validate) -> list[bool]:
    """The same checks, the shortest way."""
    labels = list(section.labels or ())
    text = rows["text"].where(rows["text"].str.strip() != "")
    lengths = text.str.len()
    counts = rows["label"].value_counts()
    return [
        all(str(rows[name].dtype) == "str" for name in ("id", "text", "label", "split")),
        len(rows) >= section.min_rows,
        {"id", "text", "label", "split"} <= set(rows.columns),
        text.notna().mean() >= 1 - section.max_missing,
        rows["label"].notna().mean() >= 1 - section.max_missing,
        rows["label"].nunique() >= 2,
        bool(rows["label"].dropna().isin(labels).all()),
        set(labels) <= set(rows["label"].unique()),
        bool(lengths.dropna().between(section.min_chars, section.max_chars).all()),
        not text.str.contains(r"\x00").any(),
        text.nunique() / text.notna().sum() >= 1 - section.max_duplicates,
        counts.iloc[0] / counts.iloc[-1] <= section.max_imbalance,
        rows["split"].notna().sum() == 0,
    ]


def held_now() -> int:
    """Bytes that this process holds."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock time of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def most_held(call: Callable[[], Any]) -> int:
    """The most bytes held above the start, looked at every 5 ms."""
    start, highest, done = held_now(), 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.005):
            highest = max(highest, held_now() - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    call()
    done.set()
    watcher.join()
    return highest


def sides(rows: pd.DataFrame) -> dict[str, Callable[[], Any]]:
    """What is compared, by name."""
    plain = Validate(labels=("neg", "pos"))
    bad = rows.assign(label=rows["label"].mask(rows.index < 5, "neutral"))
    bad.loc[np.arange(5, 10), "text"] = "x" * 30_000
    leaving = Validate(labels=("neg", "pos"), severity={"labels": "quarantine", "chars": "quarantine"})
    return {
        "Temper": lambda: check_rows(rows, plain),
        "by hand": lambda: by_hand(rows, plain),
        "ten rows leave": lambda: check_rows(bad, leaving),
    }


def main() -> None:
    """Print seconds, ratio and memory of both sides."""
    count = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    calls = sides(make_rows(count))
    imported = seconds(lambda: check_rows(make_rows(100), Validate()))
    if len(sys.argv) > 2:
        print(most_held(calls[sys.argv[2]]))
        return
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            times[name].append(seconds(call))
    print(f"{count:,} rows, {os.cpu_count()} cores, median of {ROUNDS} alternating rounds")
    for name in calls:
        took = statistics.median(times[name])
        held = subprocess.run([sys.executable, __file__, str(count), name], capture_output=True, check=True, text=True)
        print(
            f"{name:<15}{took:6.2f} s {count / took:>10,.0f} rows/s {int(held.stdout) / 1e6:>6,.0f} MB above the rows"
        )
    ratios = sorted(a / b for a, b in zip(times["Temper"], times["by hand"], strict=True))
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(f"ratio, median of the rounds' own, {statistics.median(ratios):.2f} ({spread}; goal {GOAL})")
    print(f"import of Great Expectations and a first check of 100 rows {imported:.1f} s, once per process")


if __name__ == "__main__":
    main()
