"""Planted faults, the share found and the false alarms: `python tests/bench_faults.py [DATA [set …]]`.

Faults are planted in the embedded reviews, which are clean, and, where DATA is the folder of the public sets, in real
texts: sms, airline, hotel. Of a real set those rows are the clean ones that neither repeat nor contradict another (as
cleaning itself has it, so that there only what planting adds can be a false alarm; the reviews are free of repetitions
by themselves). `found` counts what the stage names or drops for the planted reason, `others` the rows (or, where a
fault is none of single rows, the runs) that it names without cause, those of the same data without the fault included.
"""

import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from configs.environment import quiet_tools  # noqa: E402

quiet_tools()

import pandas as pd  # noqa: E402
import test_expectations as expectations  # noqa: E402
from source_rows import load_rows  # noqa: E402

from configs.cleaning import Clean  # noqa: E402
from configs.sources import Columns, EmbeddedSource, FileSource, Source  # noqa: E402
from tasks.data.cleaning.pipeline import clean_rows  # noqa: E402
from tasks.data.errors import DataError  # noqa: E402
from tasks.data.rows import with_ids  # noqa: E402
from tasks.data.sources.provenance import Intake  # noqa: E402
from tasks.data.sources.read import read_source  # noqa: E402

RUNS = 5
SHARE = 0.05
FOLD = ["lowercase", {"kind": "whitespace", "how": "squeeze"}]
ODD = {
    "emoji": ["😀", "👩\u200d👩\u200d👧", "🏴\U000e0067\U000e0062\U000e007f 1️⃣"],
    "right to left": ["שלום עולם", "مرحبا \u202bb\u202c", "می‌خواهم"],
}


@dataclass(frozen=True)
class Finding:
    """One fault in one set: how often it was planted and found, and how many others were named."""

    fault: str
    by: str
    planted: int
    found: int
    others: int


def source(name: str, folder: Path) -> Source:
    """The set of this name."""
    match name:
        case "sms":
            path = str(folder / "sms-spam" / "SMSSpamCollection")
            return FileSource(kind="file", path=path, format="tsv", header=("label", "text"), quoting=False)
        case "airline":
            path = str(folder / "airline-tweets" / "Tweets.csv")
            return FileSource(kind="file", path=path, columns=Columns(label="airline_sentiment"))
        case "hotel":
            path = str(folder / "chnsenticorp-htl" / "ChnSentiCorp_htl_all.csv")
            return FileSource(kind="file", path=path, columns=Columns(text="review"))
    return EmbeddedSource(kind="embedded")


def clean_set(name: str, folder: Path) -> pd.DataFrame:
    """Text and label of the rows without a fault."""
    rows = with_ids(load_rows(source(name, folder), Path()))
    if name == "reviews":
        return rows[["text", "label"]].reset_index(drop=True)
    steps = (
        "unicode",
        "control",
        {"kind": "whitespace", "how": "squeeze"},
        "missing",
        "lowercase",
        "contradictions",
        "duplicates",
        "near_duplicates",
    )
    kept = clean_rows(rows, Clean(steps=steps)).rows["id"]  # type: ignore[arg-type]
    return rows.loc[rows["id"].isin(kept), ["text", "label"]].reset_index(drop=True)


def edited(text: str, edits: int, rng: random.Random) -> str:
    """The text with so many letters changed, put in or taken out."""
    letters = list(text)
    for _ in range(edits):
        at, letter = rng.randrange(len(letters)), rng.choice(text)
        match rng.randrange(3):
            case 0:
                letters[at] = letter
            case 1:
                letters.insert(at, letter)
            case _ if len(letters) > 3:
                del letters[at]
    return "".join(letters)


def dropped(rows: pd.DataFrame, steps: list[object], reason: str) -> set[int]:
    """Positions of the rows that leave for this reason."""
    named = with_ids(rows.assign(split=None).astype({"split": "str"}))
    gone = clean_rows(named, Clean(steps=tuple(steps), max_dropped=1)).dropped  # type: ignore[arg-type]
    return set(named.index[named["id"].isin(gone.loc[gone["reason"] == reason, "id"])])


def repeats(clean: pd.DataFrame, rng: random.Random) -> Iterator[Finding]:
    """Copies, near-copies and contradictions behind the clean rows."""
    folded = [str.upper, str.title, lambda text: f"  {text}\n"]
    texts: list[tuple[str, str, list[object], str, Callable[[str], str]]] = [
        ("exact duplicates", "duplicates", ["duplicates"], "duplicate", lambda text: text),
        (
            "case and white-space duplicates",
            "lowercase, whitespace, duplicates",
            [*FOLD, "duplicates"],
            "duplicate",
            lambda text: rng.choice(folded)(text),
        ),
    ]
    texts += [
        (
            f"near duplicates, letters edited: {edits}",
            "near_duplicates",
            ["near_duplicates"],
            "near-duplicate",
            partial(edited, edits=edits, rng=rng),
        )
        for edits in (1, 2, 4, 8)
    ]
    for fault, by, steps, reason, change in texts:
        drawn = clean.sample(frac=SHARE, random_state=rng.randrange(2**31))
        gone = dropped(
            pd.concat([clean, drawn.assign(text=drawn["text"].map(change))], ignore_index=True), steps, reason
        )
        planted = set(range(len(clean), len(clean) + len(drawn)))
        yield Finding(fault, by, len(planted), len(gone & planted), len(gone - planted | dropped(clean, steps, reason)))
    drawn = clean.sample(frac=SHARE, random_state=rng.randrange(2**31))
    names = sorted(clean["label"].unique())
    turned = drawn["label"].map(dict(zip(names, names[1:] + names[:1], strict=True)))
    both = pd.concat([clean, drawn.assign(label=turned)], ignore_index=True)
    gone = dropped(both, ["contradictions"], "contradictory label")
    planted = set(range(len(clean), len(both))) | set(drawn.index)
    alarms = gone - planted | dropped(clean, ["contradictions"], "contradictory label")
    yield Finding("the same text under another label", "contradictions", len(planted), len(gone & planted), len(alarms))


def rules(name: str) -> Iterator[Finding]:
    """Faults that break an expectation, each planted RUNS times; the alarms of RUNS runs without one."""
    raised = [alarm for seed in range(RUNS) for alarm in expectations.alarms(name, seed)]
    for fault, (_, rule) in expectations.FAULTS.items():
        found = sum(expectations.found_fault(name, fault, seed) for seed in range(RUNS))
        yield Finding(fault, f"validate: {rule}", RUNS, found, raised.count(rule))


def files(clean: pd.DataFrame, rng: random.Random) -> Iterator[Finding]:
    """Faults of a CSV file: refused with the line that has it, or read as the file without it is."""
    plain = clean.assign(text=clean["text"].str.replace(r"\s+", " ", regex=True)).to_csv(index=False)
    lines = plain.splitlines()
    header, body = lines[0], lines[1:]
    last = range(2, len(lines) + 1)

    def refused(fault: str, spoil: Callable[[int], tuple[bytes, str]]) -> Finding:
        found = sum(told in reading(data) for data, told in (spoil(line) for line in rng.sample(last, RUNS)))
        return Finding(fault, "download: refused, naming where", RUNS, found, int(reading(plain.encode()) != ""))

    def at(line: int, change: Callable[[str], bytes]) -> bytes:
        return b"\n".join(change(text) if at == line else text.encode() for at, text in enumerate(lines, 1))

    yield refused(
        "a line in another encoding",
        lambda n: (
            at(n, lambda t: "caf\u00e9,".encode("cp1252") + t.encode()),
            f"rows.csv:{n}: byte 0xe9 is not utf-8",
        ),
    )
    yield refused(
        "ragged: a field too many", lambda n: (at(n, lambda t: f"{t},more".encode()), f"rows.csv:{n}: more fields")
    )
    twice = "\n".join([f"{header},text", *(f"{text},x" for text in body)]).encode()
    yield refused("two columns of one name", lambda n: (twice, "two columns are called 'text'"))
    spaced = "\n".join(["text ,label", *body]).encode()
    yield refused("a column named `text `", lambda n: (spaced, "did you mean 'text '?"))
    whole = table(plain.encode())
    for fault, data in (
        ("byte-order mark", b"\xef\xbb\xbf" + plain.encode()),
        ("CRLF", plain.replace("\n", "\r\n").encode()),
    ):
        yield Finding(fault, "download: read as without", 1, int(table(data).equals(whole)), 0)
    short = [table(at(line, lambda text: b"short"))["label"].isna().sum() == 1 for line in rng.sample(last, RUNS)]
    missing = int(whole["label"].isna().sum())
    yield Finding("ragged: a field too few", "download: read as missing", RUNS, sum(short), missing)


def table(data: bytes) -> pd.DataFrame:
    """What is read of a file with these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(data)
        return read_source(FileSource(kind="file", path=str(path)), Intake(Path(folder)))


def reading(data: bytes) -> str:
    """The complaint about a file with these bytes, empty where it is read."""
    try:
        table(data)
    except DataError as error:
        return str(error)
    return ""


def odd_texts(clean: pd.DataFrame, rng: random.Random) -> Iterator[Finding]:
    """What is odd and right, behind a text: steps that change texts leave it as it is, and what they do to the rest."""
    steps = ("ftfy", "unicode", "html", "control", "urls", "mentions", "whitespace")

    def changed(rows: pd.DataFrame) -> pd.Series:
        named = with_ids(rows.assign(split=None).astype({"split": "str"}))
        return clean_rows(named, Clean(steps=steps)).rows["text"]  # type: ignore[arg-type]

    plain = changed(clean.assign(text=clean["text"] + " ."))
    for fault, marks in ODD.items():
        drawn = clean.sample(frac=SHARE, random_state=rng.randrange(2**31)).index
        put = [rng.choice(marks) for _ in drawn]
        rows = clean.assign(text=clean["text"] + " .")
        rows.loc[drawn, "text"] += [f" {mark}" for mark in put]
        after = changed(rows)
        same = after[drawn] == plain[drawn] + [f" {mark}" for mark in put]
        others = (after != plain).drop(drawn)
        yield Finding(fault, "clean: unharmed by every step", len(drawn), int(same.sum()), int(others.sum()))


def findings(name: str, folder: Path) -> Iterator[Finding]:
    """All faults in one set."""
    rng, clean = random.Random(0), clean_set(name, folder)
    yield from repeats(clean, rng)
    if name != "sms":
        expectations.SHARED = folder
        yield from rules(name)
    yield from files(clean, rng)
    yield from odd_texts(clean, rng)


def main(arguments: list[str]) -> None:
    """Print a table per set."""
    folder = Path(arguments[0]) if arguments else Path()
    for name in arguments[1:] or ["reviews", *(("sms", "airline", "hotel") if arguments else ())]:
        print(f"\n{name}\n\n| fault | by | planted | found | share | others |\n|---|---|---:|---:|---:|---:|")
        for one in findings(name, folder.resolve()):
            share = f"{one.found / one.planted:.1%}"
            print(
                f"| {one.fault} | {one.by} | {one.planted:,} | {one.found:,} | {share} | {one.others:,} |", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1:])
