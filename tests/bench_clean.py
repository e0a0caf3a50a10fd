"""Rows per second, growth and memory of every cleaning step: `python tests/bench_clean.py [step …]`.

Each step runs alone in a process of its own on made-up texts of about a hundred characters (a tenth with tags,
entities, addresses, names or control characters), or on small JPEG images (5,000, or TEMPER_BENCH_PICTURES, and ten
times as many). Their words follow Zipf's law, the commonest
being those of the embedded reviews, and lean to one of two labels. The worst cases of near_duplicates are measured
besides: texts pieced together from few sentences, and one template filled in a million times. Time is the processor's
(the steps use one thread), so that other work on the machine does not count; growth is that for ten times the rows.
Memory is the peak of the process above what it held, rows included, when the step began (Linux only).
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
from source_rows import load_rows  # noqa: E402

from configs.cleaning import Clean, Step  # noqa: E402
from configs.sources import EmbeddedSource  # noqa: E402
from tasks.data.cleaning.pipeline import CHANGES, DROPS, clean_rows  # noqa: E402

SMALL, PICTURED = 100_000, int(os.environ.get("TEMPER_BENCH_PICTURES", "5000"))
TEXTS = [
    "unicode",
    "html",
    "control",
    "urls",
    "mentions",
    "whitespace",
    "lowercase",
    "length",
    "missing",
    "contradictions",
    "duplicates",
    "ftfy",
    "replace",
    "stop_words",
    "language",
    "label_errors",
    "near_duplicates",
]
WORST = ("near_duplicates", ("overlapping", "template"))
WORDS = 200_000
ENDS = ("a", "e", "i", "o", "u", "ay", "er", "in", "on")
PICTURES = ["unreadable", "mode", "size", "perceptual_duplicates"]
VALUES = {
    "whitespace": {"how": "squeeze"},
    "replace": {"pattern": r"\d+", "by": "0"},
    "stop_words": {"language": "en"},
    "language": {"keep": ["en"]},
    "length": {"min": 20, "max": 200},
}
DIRT = [
    "<b>really</b>",
    "a &amp; b<br/>",
    "http://t.co/abc?d=e",
    "@someone",
    "caf\u00c3\u00a9",
    "a\x00b\r\n",
    "e\u0301  ",
]


def reviews() -> list[str]:
    """Words of the embedded reviews, one after the other."""
    return " ".join(load_rows(EmbeddedSource(kind="embedded"), Path())["text"]).split()


def natural(count: int) -> tuple[list[str], np.ndarray]:
    """Texts of words that follow Zipf's law with Mandelbrot's shift, and their labels, a twentieth of them wrong."""
    rng = np.random.default_rng(0)
    known = pd.Series(reviews()).value_counts(sort=True).index.tolist()
    syllables = np.array(
        [a + b for a in "bcdfghklmnprstvwz" for b in ("a", "e", "i", "o", "u", "ay", "er", "in", "on")]
    )
    made = ["".join(part) for part in syllables[rng.integers(0, len(syllables), (WORDS, 4))]]
    words = np.array([*known, *made][:WORDS], dtype=object)
    chances = np.cumsum(1 / (np.arange(WORDS) + 2.7))
    lengths = np.clip(rng.lognormal(2.75, 0.4, count).astype(int), 3, 80)
    drawn = np.searchsorted(chances, rng.random(lengths.sum()) * chances[-1])
    ends = np.cumsum(lengths)
    leaning = np.where(np.arange(WORDS) > 50, rng.normal(size=WORDS), 0)  # the commonest words tell nothing
    score = np.add.reduceat(leaning[drawn], ends - lengths) + rng.normal(size=count)
    texts = [" ".join(words[drawn[end - size : end]]) for end, size in zip(ends, lengths, strict=True)]
    return texts, np.where((score < 0) ^ (rng.random(count) < 0.05), "neg", "pos")


def texts(count: int) -> pd.DataFrame:
    """Natural texts, one in ten with dirt, one in twenty an exact copy of another."""
    rng = np.random.default_rng(1)
    made, labels = natural(count)
    for at in rng.choice(count, count // 10, replace=False):
        made[at] += " " + DIRT[at % len(DIRT)]
    for at in rng.choice(count, count // 20, replace=False):
        made[at] = made[at // 2]
    return table(made, labels)


def overlapping(count: int) -> pd.DataFrame:
    """Texts of twice nine words in a row of the embedded reviews, so that each shares its halves with many."""
    rng = np.random.default_rng(0)
    words = np.array(reviews(), dtype=object)
    places = rng.integers(0, len(words) - 20, count)
    halves = [" ".join(words[at : at + 9]) for at in range(len(words) - 20)]
    made = [f"{halves[at]} {halves[other]}" for at, other in zip(places, rng.permutation(places), strict=True)]
    return table(made, np.full(count, "one"))


def template(count: int) -> pd.DataFrame:
    """One message with another number each time."""
    made = [f"Dear customer, your order {n} has left our house today and will arrive soon." for n in range(count)]
    return table(made, np.full(count, "one"))


def table(made: list[str], labels: np.ndarray) -> pd.DataFrame:
    """Rows of these texts."""
    ids = [f"{n:x}-0" for n in range(len(made))]
    return pd.DataFrame({"id": ids, "text": made, "label": labels, "split": None}).astype("str")


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
    before, start = memory("VmRSS"), time.process_time()
    cleaned = clean_rows(rows, Clean(steps=(step,)), folder / "images.parquet" if kind in PICTURES else None)
    done, seconds, peak = cleaned.done[0], time.process_time() - start, memory("VmHWM") - before
    print(json.dumps({"seconds": seconds, "peak": peak, "changed": done.changed, "dropped": done.dropped}))


def main(chosen: list[str]) -> None:
    """Print the table."""
    known = {kind.__dataclass_fields__["kind"].type.__args__[0] for kind in (*CHANGES, *DROPS)}
    assert known == set(TEXTS), "every step for texts is measured"
    plan = [(kind, "texts", SMALL) for kind in TEXTS]
    plan += [(WORST[0], name, SMALL) for name in WORST[1]] + [(kind, "pictures", PICTURED) for kind in PICTURES]
    print("| step | rows | rows/s | growth | peak MiB | changed | dropped |\n|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as temporary:
        for kind, name, count in plan:
            if not chosen or kind in chosen:
                both = [run(kind, made(Path(temporary), name, size)) for size in (count, 10 * count)]
                print(line(kind if name in ("texts", "pictures") else f"{kind}, {name}", count, both), flush=True)


def run(kind: str, folder: Path) -> dict[str, float]:
    """What `measure` tells from a process of its own."""
    command = [sys.executable, __file__, "--one", kind, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def made(folder: Path, name: str, count: int) -> Path:
    """The folder with so many rows, made once."""
    folder = folder / f"{name}-{count}"
    if not folder.exists():
        folder.mkdir()
        if name == "pictures":
            rows = pictures(count, folder / "images.parquet")
        else:
            rows = {"texts": texts, "overlapping": overlapping, "template": template}[name](count)
        rows.to_parquet(folder / "rows.parquet")
    return folder


def line(kind: str, count: int, both: list[dict[str, float]]) -> str:
    """A line of the table; each cell but the growth holds both sizes."""
    rates = [f"{size / got['seconds']:,.0f}" for size, got in zip((count, 10 * count), both, strict=True)]
    growth = both[1]["seconds"] / both[0]["seconds"]
    cells = [f"{count:,}, {10 * count:,}", ", ".join(rates), f"{growth:.1f}"]
    cells += [", ".join(f"{got['peak']:,.0f}" for got in both)]
    cells += [f"{both[1][name]:,}" for name in ("changed", "dropped")]
    return f"| {kind} | {' | '.join(cells)} |"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], Path(sys.argv[3]))
    else:
        main(sys.argv[1:])
