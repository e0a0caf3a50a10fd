"""Batches of rows of similar length: a function of seed and epoch, every row once, for every kind that reads texts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from test_fit import ENCODING, FEED, KILLS, Killed, difference, part, section, tiny, train

from configs.models import NewModel
from configs.schema import Train
from tasks.kinds.dialogue.training import Dialogue
from tasks.kinds.masked_lm.training import MaskedLm
from tasks.kinds.regression.training import Regression
from tasks.kinds.seq2seq.training import Seq2Seq
from tasks.kinds.text_classification.training import TextClassification
from tasks.learn.fit import Feed, TrainingCallbacks, TrainingRun, fit
from tasks.learn.length_groups import STRETCH, grouped_order
from tasks.text.feed import Rows
from tasks.text.parts import Part

DRAW = np.random.default_rng(7)
SHAPES = [(0, 4), (1, 4), (3, 4), (4, 4), (257, 8), (1000, 1), (1001, 3), (30, 7), (5 * STRETCH, 2)]


def lengths_of(rows: int) -> Any:
    return DRAW.integers(1, 60, rows)


@pytest.mark.parametrize(("rows", "size"), SHAPES)
def test_every_row_comes_once_an_epoch_and_the_order_follows_from_seed_and_epoch(rows: int, size: int) -> None:
    lengths = lengths_of(rows)
    orders = {(seed, epoch): grouped_order(lengths, size, seed, epoch) for seed in (0, 42) for epoch in range(3)}
    assert all(sorted(order) == list(range(rows)) for order in orders.values())
    np.random.seed(5)
    torch.manual_seed(5)
    assert orders == {(seed, epoch): grouped_order(lengths, size, seed, epoch) for seed, epoch in orders}
    if rows > 20:
        assert len({tuple(order) for order in orders.values()}) == len(orders), "each epoch and seed has its own"


def padded(lengths: Any, order: list[int], size: int) -> int:
    batches = [lengths[order[start : start + size]] for start in range(0, len(order), size)]
    return sum(int(batch.max()) * len(batch) for batch in batches)


def test_batches_of_similar_length_have_little_padding() -> None:
    lengths = lengths_of(4000)
    grouped = padded(lengths, grouped_order(lengths, 16, 42, 0), 16) / lengths.sum()
    random = padded(lengths, np.random.default_rng(1).permutation(4000).tolist(), 16) / lengths.sum()
    assert grouped < 1.05 and random > 1.7


def test_the_longest_batch_may_be_anywhere() -> None:
    lengths = lengths_of(400)
    places = [int(np.argmax(lengths[grouped_order(lengths, 10, seed, 0)])) // 10 for seed in range(200)]
    assert min(places) < 4 and max(places) > 35 and 15 < np.mean(places) < 25


def test_a_step_has_the_same_rows_with_accumulation(tmp_path: Path) -> None:
    """Batches of 8, and of 2 accumulated four times; validation rows come with the longest first, each once."""
    seen: dict[int, list[int]] = {}
    for batch_size in (8, 2):
        rows = part(53, 3)
        batches: list[list[int]] = []

        def collate(some: Any, kept: list[list[int]] = batches) -> Any:
            kept.append([row for _, row in some])
            return FEED.collate(some)

        feed = Feed(Rows(rows), Rows(part(9, 2)), collate, ENCODING.label_ids, lengths=rows.encoded.lengths)
        how = section(
            group_by_length=True,
            batch_size=batch_size,
            accumulation=8 // batch_size,
            epochs=2,
            eval_steps=7,
            eval_batch_size=9,
        )
        fit(how, tiny(), feed, TrainingRun(tmp_path / str(batch_size), TrainingCallbacks(*[lambda *a: None] * 3), 1))
        lengths = part(9, 2).encoded.lengths
        looked = [one for one in batches if len(one) == 9]
        assert looked == [np.argsort(-lengths, kind="stable").tolist()] * 2
        seen[batch_size] = [row for one in batches if len(one) < 9 for row in one]
    wanted = [row for epoch in (0, 1) for row in grouped_order(rows.encoded.lengths, 8, 42, epoch)]
    assert seen[8] == seen[2] == wanted


GROUPED = Feed(FEED.train, FEED.validation, FEED.collate, FEED.class_ids, lengths=FEED.train.part.encoded.lengths)  # type: ignore[attr-defined]


def test_a_killed_training_ends_bit_equal_and_a_switch_turns_groups_off(tmp_path: Path) -> None:
    grouped = section(group_by_length=True)
    whole = train(tmp_path / "whole", grouped, feed=GROUPED)
    for when in ("inside accumulation in epoch 2", "first micro-batch of epoch 2", "inside accumulation"):
        kill, start = KILLS[when]
        with pytest.raises(Killed):
            train(tmp_path / when, grouped, feed=GROUPED, kill=kill)
        again = train(tmp_path / when, grouped, feed=GROUPED)
        assert again.fitted.resumed_at == start and difference(again, whole) == 0.0
    plain = train(tmp_path / "plain")
    assert plain.fitted.history != whole.fitted.history
    assert difference(train(tmp_path / "off", feed=GROUPED), plain) == 0.0


def encoding(**changes: Any) -> Any:
    usual = {"kind": "x", "max_length": 16, "padding": "longest", "pad_id": 0, "packing": False, "label_ids": ()}
    return SimpleNamespace(**{**usual, **changes})


@pytest.mark.parametrize("kind", [TextClassification, Regression, Seq2Seq, MaskedLm, Dialogue])
def test_every_kind_that_reads_texts_knows_its_lengths(kind: Any) -> None:
    """But not where every row is as wide: padded to max_length, or packed."""
    parts: dict[str, Part] = {"train": part(9, 1), "validation": part(4, 2)}
    nothing: Any = None
    feed = kind(encoding(), nothing).feed(parts)
    assert feed.lengths.tolist() == parts["train"].encoded.lengths.tolist()
    assert feed.validation.lengths.tolist() == parts["validation"].encoded.lengths.tolist()
    assert kind(encoding(padding="max_length"), nothing).feed(parts).lengths is None
    if kind is Dialogue:
        packed = kind(encoding(packing=True), nothing).feed(parts)
        assert packed.lengths is None and not hasattr(packed.validation, "lengths")


def test_the_preset_hf_has_rows_in_random_order() -> None:
    model = NewModel(kind="new", family="gpt2")
    assert not Train(model=model).group_by_length and not Train(model=model, preset="hf").group_by_length
    assert Train(model=model, preset="hf", group_by_length=True).group_by_length
    with pytest.raises(ValidationError):
        Train(model=model, group_by_length="perhaps")  # type: ignore[arg-type]
