"""Tokenising and masking, Temper against row by row as in the tutorial: `python tests/bench_encode.py [folder]`.

Both are timed in turn in one run; the folder holds rt-polarity/ and gpt2-tokenizer/. Without it the embedded
reviews are repeated, with a byte-level BPE learnt from them.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pandas as pd  # noqa: E402
from plain_t1 import plain_t1  # noqa: E402
from source_rows import load_rows  # noqa: E402
from transformers import GPT2Tokenizer, PreTrainedTokenizerFast  # noqa: E402

from configs.encodings import LabelWordEncode  # noqa: E402
from configs.models import LocalTokenizer  # noqa: E402
from configs.sources import ClassFilesSource, EmbeddedSource  # noqa: E402
from tasks.data.rows import with_ids  # noqa: E402
from tasks.kinds.text_classification.encode import certify_part, encode_part, make_encoding  # noqa: E402
from tasks.text.collation import pad_rows  # noqa: E402
from tasks.text.parts import Part  # noqa: E402
from tasks.text.vocabulary import END, learn_bpe, read_folder  # noqa: E402
from tasks.text.vocabulary import _by_names as by_names  # noqa: E402

ROUNDS = 5
LENGTH = 32
REPEATED = 10_000


def load(folder: Path) -> tuple[str, pd.DataFrame, Any, Any]:
    """What it is, rows, Temper's tokenizer, and transformers' own."""
    files = {label: folder / "rt-polarity" / f"rt-polarity.{label}" for label in ("neg", "pos")}
    gpt2 = folder / "gpt2-tokenizer"
    if all(path.exists() for path in (*files.values(), gpt2 / "vocab.json")):
        source = ClassFilesSource(kind="class_files", files={name: str(path) for name, path in files.items()})
        own = GPT2Tokenizer(vocab=str(gpt2 / "vocab.json"), merges=str(gpt2 / "merges.txt"))
        rows = with_ids(load_rows(source, folder))
        return "sentence polarity, GPT-2's vocabulary", rows, read_folder(gpt2, lowercase=False), own
    rows = load_rows(EmbeddedSource(kind="embedded"), folder)
    learnt = learn_bpe(rows["text"].tolist(), 2000)
    repeated = with_ids(pd.concat([rows] * (REPEATED // len(rows)), ignore_index=True))
    own = PreTrainedTokenizerFast(tokenizer_object=learnt, eos_token=END)
    return "embedded reviews, repeated", repeated, by_names(learnt), own


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print rows a second of both, the ratio, and the certificate's time."""
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT.parent / "shared" / "datasets"
    what, rows, tokenizer, own = load(folder)
    texts, labels = rows["text"].tolist(), rows["label"].tolist()
    section = LabelWordEncode(
        kind="label_word",
        tokenizer=LocalTokenizer(kind="files", path=""),
        max_length=LENGTH,
        padding="max_length",
        pad_token_id=0,
    )
    encoding = make_encoding(section, tokenizer, ["neg", "pos"])
    eos = encoding.special["eos"]

    def temper() -> Part:
        part, _ = encode_part(encoding, tokenizer, rows)
        pad_rows(part.encoded, range(len(part)), encoding.pad_id, LENGTH)
        return part

    part = temper()
    ours, theirs, certificate = [], [], []
    for _ in range(ROUNDS):
        ours.append(seconds(temper))
        theirs.append(seconds(lambda: plain_t1(lambda text: own(text)["input_ids"], texts, labels, LENGTH, eos)))
        certificate.append(seconds(lambda: certify_part(encoding, tokenizer, part, rows).require("all")))
    ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    print(f"{len(rows):,} rows ({what}), {os.cpu_count()} cores, median of {ROUNDS} alternating rounds")
    print(f"Temper    {len(rows) / statistics.median(ours):>9,.0f} rows/s  {statistics.median(ours):.3f} s")
    print(f"row by row{len(rows) / statistics.median(theirs):>9,.0f} rows/s  {statistics.median(theirs):.3f} s")
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(f"ratio, median of the rounds' own, {statistics.median(ratios):.2f} ({spread}; goal 4)")
    print(f"certificate of every row {statistics.median(certificate):.3f} s")


if __name__ == "__main__":
    main()
