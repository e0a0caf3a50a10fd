"""Seconds and memory of `temper data` and `temper trace` at one million rows: `python tests/bench_rows.py [rows]`.

A CSV of so many of `bench_clean.py`'s natural texts is written, and the commands run on it, each as a person would run
it: `data` for the first time (every stage up to `encode`, with a tokenizer trained on the texts), again with all stages
cached, and `trace` of one row by its number, twice; no servers. Time is the clock's, with the processor's beside it.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from bench_clean import texts  # noqa: E402

RECIPE = """
name: bench
download: {kind: file, path: rows.csv}
validate: {labels: [neg, pos]}
encode: {kind: label_word, tokenizer: {kind: train, vocab_size: 8000}, max_length: 64}
train: {model: {kind: new, family: gpt2, config: {n_layer: 1, n_head: 1, n_embd: 8, n_positions: 64}}}
register: {model: bench}
"""


def main(count: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = texts(count)[["text", "label"]]
        rows.assign(text=rows["text"].str.replace("\x00", "")).to_csv(folder / "rows.csv", index=False)
        (folder / "bench.yaml").write_text(RECIPE, encoding="utf-8")
        print(
            f"{count:,} rows\n\n| command | seconds | of the processor | peak MiB |\n|---|---:|---:|---:|", flush=True
        )
        for name, command in (
            ("data, first time", ["data", "bench.yaml"]),
            ("data, all cached", ["data", "bench.yaml"]),
            ("trace, first time", ["trace", "bench.yaml", str(count // 2)]),
            ("trace, again", ["trace", "bench.yaml", str(count // 3)]),
        ):
            print(f"| {name} | {run(command, folder)} |", flush=True)


def run(command: list[str], folder: Path) -> str:
    """Cells of one command: seconds of the clock, of the processor, peak memory of its largest process."""
    own = {"TEMPER_HOME": str(folder / "home"), "TEMPER_DATA": str(folder), "PREFECT_HOME": str(folder / "prefect")}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", *command],
        cwd=folder,
        env=os.environ | own | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with code {process.returncode}")
    return f"{time.perf_counter() - started:.1f} | {_processor(used):.1f} | {used.ru_maxrss / 1024:,.0f}"


def _processor(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
