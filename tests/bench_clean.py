"""Rows per second and memory of every cleaning step: `python tests/bench_clean.py [step …]`.

Each step runs alone in a process of its own on texts pieced together from the embedded reviews (about 100 characters;
a tenth with tags, entities, addresses, names or control characters), or on small JPEG images. Memory is the peak of
the process above what it held, rows included, when the step began (Linux only). Slower steps are measured at 1e5
rows.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from pydantic import TypeAdapter  # noqa: E402

from configs.cleaning import Clean, Step  # noqa: E402
from configs.sources import EmbeddedSource  # noqa: E402
from tasks.data.cleaning import CHANGES, DROPS, clean_rows  # noqa: E402
from tasks.data.sources import load_rows  # noqa: E402

SMALL, LARGE, IMAGES = 100_000, 1_000_000, 20_000
COLUMNS = ["unicode", "html", "control", "urls", "mentions", "whitespace", "lowercase", "length", "missing",
           "contradictions", "duplicates"]  # fmt: skip
ROWS = ["near_duplicates", "ftfy", "replace", "stop_words", "language", "label_errors"]
PICTURES = ["unreadable", "mode", "size", "perceptual_duplicates"]
VALUES = {
    "whitespace": {"how": "squeeze"}, "replace": {"pattern": r"\d+", "by": "0"}, "stop_words": {"language": "en"},
    "language": {"keep": ["en"]}, "length": {"min": 20, "max": 200},
}  # fmt: skip
DIRT = [
    "<b>really</b>",
    "a &amp; b<br/>",
    "http://t.co/abc?d=e",
    "@someone",
    "caf\u00c3\u00a9",
    "a\x00b\r\n",
    "e\u0301  ",
]


def texts(count: int) -> pd.DataFrame:
    """Rows of texts, one in twenty an exact copy of another."""
    rng = np.random.default_rng(0)
    reviews = load_rows(EmbeddedSource(kind="embedded"), Path())
    words = np.array(" ".join(reviews["text"]).split(), dtype=object)
    places = rng.integers(0, len(words) - 20, count)
    made = [" ".join(words[at : at + 9]) + " " + " ".join(words[other : other + 9])
            for at, other in zip(places, rng.permutation(places), strict=True)]  # fmt: skip
    for at in rng.choice(count, count // 10, replace=False):
        made[at] += " " + DIRT[at % len(DIRT)]
    for at in rng.choice(count, count // 20, replace=False):
        made[at] = made[at // 2]
    labels = np.where(rng.random(count) < 0.5, "neg", "pos")
    return pd.DataFrame(
        {"id": [f"{n:x}-0" for n in range(count)], "text": made, "label": labels, "split": None}
    ).astype("str")


def pictures(count: int, path: Path) -> pd.DataFrame:
    """Rows of 64 x 64 JPEG images with large shapes, and their images.parquet."""
    from PIL import Image

    rng, found = np.random.default_rng(0), {}
    for _ in range(count):
        buffer = io.BytesIO()
        small = Image.fromarray(rng.integers(0, 255, (6, 9, 3), dtype=np.uint8))
        small.resize((64, 64), Image.Resampling.BICUBIC).save(buffer, "JPEG")
        found[hashlib.sha256(buffer.getvalue()).hexdigest()] = buffer.getvalue()
    found = dict(sorted(found.items()))
    schema = pa.schema([("image", pa.string()), ("bytes", pa.binary())])
    pq.write_table(
        pa.table([list(found), list(found.values())], schema=schema), path, row_group_size=256, compression="none"
    )
    ids = [f"{n:x}-0" for n in range(len(found))]
    return pd.DataFrame({"id": ids, "image": list(found), "label": "one", "split": None}).astype("str")


def memory(line: str) -> float:
    """A line of the process's status in MiB: VmRSS now, VmHWM at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{line}:")[1].split()[0]) / 1024


def measure(kind: str, folder: Path) -> None:
    """Run one step in this process and print what it took."""
    step = TypeAdapter(Step).validate_python({"kind": kind, **VALUES.get(kind, {})})
    rows = pd.read_parquet(folder / "rows.parquet")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of reading
    before, start = memory("VmRSS"), time.perf_counter()
    cleaned = clean_rows(rows, Clean(steps=(step,)), folder / "images.parquet" if kind in PICTURES else None)
    done, seconds, peak = cleaned.done[0], time.perf_counter() - start, memory("VmHWM") - before
    print(json.dumps({"seconds": seconds, "peak": peak, "changed": done.changed, "dropped": done.dropped}))


def main(chosen: list[str]) -> None:
    """Print the table."""
    known = {name.__dataclass_fields__["kind"].type.__args__[0] for name in (*CHANGES, *DROPS)}
    plan = [(kind, count) for kind in COLUMNS for count in (SMALL, LARGE)]
    plan += [(kind, SMALL) for kind in ROWS] + [(kind, IMAGES) for kind in PICTURES]
    print("| step | rows | seconds | rows/s | peak MiB | changed | dropped |\n|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as temporary:
        for kind, count in plan:
            if (not chosen or kind in chosen) and (kind in known or kind in PICTURES):
                folder = made(Path(temporary), count)
                command = [sys.executable, __file__, "--one", kind, str(folder)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                print(line(kind, count, json.loads(done.stdout.splitlines()[-1])), flush=True)


def made(folder: Path, count: int) -> Path:
    """The folder with so many rows, made once."""
    folder = folder / str(count)
    if not folder.exists():
        folder.mkdir()
        rows = pictures(count, folder / "images.parquet") if count == IMAGES else texts(count)
        rows.to_parquet(folder / "rows.parquet")
    return folder


def line(kind: str, count: int, got: dict[str, float]) -> str:
    """A line of the table."""
    rate = count / got["seconds"]
    return (f"| {kind} | {count:,} | {got['seconds']:.2f} | {rate:,.0f} | {got['peak']:,.0f} | {got['changed']:,} "
            f"| {got['dropped']:,} |")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], Path(sys.argv[3]))
    else:
        main(sys.argv[1:])
