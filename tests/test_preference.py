"""Preference: both sides of a pair, their mask and certificate, the loss, the reference, and what is reported."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter

from configs.evaluation import Evaluate
from configs.load import RecipeError, load_recipe
from configs.models import NewModel, TrainedTokenizer
from configs.preference_encodings import PreferenceEncode
from configs.reference import Reference, reference_of
from configs.training import Train
from tasks.data.dialogues.messages import dump_messages
from tasks.data.dialogues.replies import write_rejected
from tasks.kinds import outcomes
from tasks.kinds.preference import log_probabilities as scoring
from tasks.kinds.preference.certificate import DIFFERENT, GIVEN, SHARED, certify_pairs
from tasks.kinds.preference.encode import encode_part, make_pair_encoding
from tasks.kinds.preference.feed import ComparedPart, Pairs, collate_pairs
from tasks.kinds.preference.forward import dpo_losses
from tasks.kinds.preference.metrics import Compared, score_pairs
from tasks.kinds.preference.reference import reference_model
from tasks.kinds.preference.reply_pairs import ALIKE, EncodedPairs, Pair, encode_pairs
from tasks.kinds.preference.report import judge
from tasks.kinds.preference.training import open_training
from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit
from tasks.learn.labels import IGNORE_INDEX
from tasks.learn.resampling import Resampling
from tasks.text.chat.encoding import NO_TARGET, TOO_LONG, DialogueEncoding
from tasks.text.tokenizer import TextTokenizer

ROOT = Path(__file__).resolve().parent.parent
MODEL = NewModel(
    kind="new",
    family="gpt2",
    config={
        "n_layer": 1,
        "n_head": 2,
        "n_embd": 16,
        "n_positions": 256,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
    },
)
LLAMA = {
    "num_hidden_layers": 1,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
}
WORDS = ["amber", "birch", "cedar", "delta", "ember", "frost", "grove", "heron", "iris", "jade", "kelp", "lotus"]


def turn(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def pair(history: list[str], chosen: str, rejected: str, system: str = "") -> Pair:
    roles = ("user", "assistant")
    turns = [turn(roles[place % 2], text) for place, text in enumerate(history)]
    head = [turn("system", system)] if system else []
    return [*head, *turns, turn("assistant", chosen)], turn("assistant", rejected)


def table(pairs: list[Pair]) -> pd.DataFrame:
    rows = [
        (f"row-{n}", dump_messages(list(one)), write_rejected(list(one), [*one[:-1], worse]))
        for n, (one, worse) in enumerate(pairs)
    ]
    return pd.DataFrame(rows, columns=["id", "messages", "rejected"]).astype("str")


PAIRS = [
    pair([f"tell me of {WORDS[n]}"], f"{WORDS[n]} is a word", f"no {WORDS[-n]} for you, go on and ask another", system)
    for n, system in enumerate(["", "be kind", "", "be brief", ""], 1)
]


class Made(NamedTuple):
    encoding: DialogueEncoding
    tokenizer: TextTokenizer
    folder: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("encoded")
    section = PreferenceEncode(
        kind="preference", tokenizer=TrainedTokenizer(kind="train", vocab_size=400), template="chatml", max_length=128
    )
    return Made(*make_pair_encoding(section, table(PAIRS), folder), folder)


def sides(made: Made, pairs: EncodedPairs) -> list[tuple[str, str]]:
    """What each sequence gives and what it supervises, as texts."""
    flat, shown = pairs.encoded.encoded, []
    for begin, end in zip(flat.offsets, flat.offsets[1:], strict=False):
        ids, labels = flat.ids[begin:end], flat.labels[begin:end]
        texts = made.tokenizer.decode([ids[labels == IGNORE_INDEX].tolist(), ids[labels != IGNORE_INDEX].tolist()])
        shown.append((texts[0], texts[1]))
    return shown


def test_both_sides_share_the_prompt_and_supervise_their_reply_with_its_end(made: Made) -> None:
    shown = sides(made, encode_pairs(made.encoding, made.tokenizer, PAIRS))
    for number, (dialogue, rejected) in enumerate(PAIRS):
        (prompt, chosen), (again, worse) = shown[2 * number : 2 * number + 2]
        assert prompt.rstrip("\n") == again.rstrip("\n") and dialogue[-2]["content"] in prompt
        assert chosen == f"{dialogue[-1]['content']}<|im_end|>" and worse == f"{rejected['content']}<|im_end|>"


def test_a_long_prompt_loses_the_same_turns_on_both_sides_and_never_a_reply(made: Made) -> None:
    history = [f"{WORDS[n]} " * 8 for n in range(9)]
    long = pair(history, "yes", "no " * 9, "be kind")
    pairs = encode_pairs(made.encoding, made.tokenizer, [PAIRS[0], long])
    (prompt, chosen), (again, worse) = sides(made, pairs)[2:]
    assert prompt.rstrip("\n") == again.rstrip("\n") and "be kind" in prompt and WORDS[0] not in prompt
    assert history[-1].strip() in prompt and (chosen, worse) == ("yes<|im_end|>", f"{'no ' * 9}<|im_end|>")
    assert (pairs.encoded.encoded.cut[2:] > 0).all() and (pairs.encoded.encoded.lengths <= 128).all()
    assert not any(certify_pairs(made.encoding, made.tokenizer, pairs, ["a", "b"]).violations.values())


def test_pairs_that_cannot_be_trained_on_are_dropped_with_their_reason(made: Made) -> None:
    spoken, silent = PAIRS[0]
    untrained: Pair = ([*spoken[:-1], {**spoken[-1], "weight": 0}], silent)
    rows = table([PAIRS[0], pair(["why"], "so", "no " * 200), untrained, PAIRS[1]])
    broken = pd.DataFrame(
        [("row-9", rows["messages"][0], json.dumps({"broken": "an empty reply"}))], columns=rows.columns
    )
    part, dropped, certificate = encode_part(
        made.encoding, made.tokenizer, pd.concat([rows, broken], ignore_index=True)
    )
    assert part.ids == ["row-0", "row-0", "row-3", "row-3"] and certificate.as_dict()["holds"]
    assert dict(zip(dropped["id"], dropped["reason"], strict=True)) == {
        "row-9": "an empty reply",
        "row-1": TOO_LONG,
        "row-2": NO_TARGET,
    }


def test_replies_of_the_same_tokens_are_no_pair(made: Made) -> None:
    dialogue, _ = PAIRS[0]
    pairs = encode_pairs(made.encoding, made.tokenizer, [(dialogue, dict(dialogue[-1]))])
    assert pairs.dropped == {0: ALIKE} and not len(pairs.encoded.encoded)


@pytest.mark.parametrize(
    ("check", "at", "value"),
    [(SHARED, 2, 7), (GIVEN, 2, 7), ("an end-of-turn token is not supervised", None, None)],
)
def test_a_fault_in_either_side_breaks_the_certificate(made: Made, check: str, at: int | None, value: Any) -> None:
    pairs = encode_pairs(made.encoding, made.tokenizer, PAIRS)
    flat = pairs.encoded.encoded
    for side in (0, 1):
        ids, labels = flat.ids.copy(), flat.labels.copy()
        begin, end = flat.offsets[side], flat.offsets[side + 1]
        if at is not None:
            ids[begin + at] = value
        else:
            supervised = begin + np.flatnonzero(labels[begin:end] != IGNORE_INDEX)
            labels[supervised[-1]] = IGNORE_INDEX
        planted = replace(pairs, encoded=replace(pairs.encoded, encoded=replace(flat, ids=ids, labels=labels)))
        violations = certify_pairs(made.encoding, made.tokenizer, planted, [f"row-{n}" for n in range(5)]).violations
        rows = [row for words, rows in violations.items() if words == check for row in rows]
        assert rows == (["row-0"] if (check, side) != (GIVEN, 1) else []), violations


def test_sides_that_do_not_differ_break_the_certificate(made: Made) -> None:
    pairs = encode_pairs(made.encoding, made.tokenizer, [(PAIRS[0][0], PAIRS[1][1]), PAIRS[1]])
    flat = pairs.encoded.encoded
    first = slice(flat.offsets[0], flat.offsets[1])
    twice = replace(
        flat,
        ids=np.concatenate([flat.ids[first], flat.ids[first], flat.ids[flat.offsets[2] :]]),
        labels=np.concatenate([flat.labels[first], flat.labels[first], flat.labels[flat.offsets[2] :]]),
        offsets=np.concatenate([[0, flat.offsets[1]], flat.offsets[2:] - flat.offsets[2] + 2 * flat.offsets[1]]),
    )
    planted = replace(pairs, encoded=replace(pairs.encoded, encoded=twice))
    assert certify_pairs(made.encoding, made.tokenizer, planted, ["a", "b"]).violations[DIFFERENT] == ["a"]


def train_section(**keys: Any) -> Train:
    return TypeAdapter(Train).validate_python(
        {"model": {"kind": "new", "family": "gpt2", "config": MODEL.config}, **keys}
    )


class Batch(NamedTuple):
    """A model at other weights than its reference, a batch, and the part that it is of."""

    model: Any
    batch: dict[str, torch.Tensor]
    part: ComparedPart
    reference: Any


def batch_of(made: Made, **keys: Any) -> Batch:
    encoded = encode_pairs(made.encoding, made.tokenizer, PAIRS).encoded.encoded
    reference = reference_model(reference_of(train_section(seed=1)), made.folder).cpu()
    values = scoring.log_probabilities(reference, scoring.Batches(encoded, made.encoding.pad_id, 4))
    ids = [f"row-{n // 2}" for n in range(len(encoded))]
    part = ComparedPart(ids, np.zeros(len(ids), np.int64), encoded, reference=values)
    model = open_training(made.folder).model(train_section(seed=2, **keys), part).eval()
    rows = Pairs(part)
    return Batch(model, collate_pairs(made.encoding)([rows[n] for n in range(len(rows))]), part, reference)


def test_the_loss_and_its_gradients_are_those_of_the_formula(made: Made) -> None:
    """Rafailov et al. 2023, equation 7, in plain torch on whole logits, smoothed as in Mitchell's note."""
    for smoothing in (0.0, 0.2):
        model, batch, part, reference = batch_of(made, beta=0.3, label_smoothing=smoothing)
        output = model(**batch)
        output.loss.backward()
        ours = {name: value.grad.clone() for name, value in model.named_parameters()}
        model.zero_grad()

        def summed(net: Any, side: int, part: ComparedPart = part) -> torch.Tensor:
            flat = part.encoded
            ids = torch.from_numpy(flat.ids[flat.offsets[side] : flat.offsets[side + 1]]).long()
            labels = torch.from_numpy(flat.labels[flat.offsets[side] : flat.offsets[side + 1]]).long()
            logits = net.get_output_embeddings()(net.base_model(input_ids=ids[None])[0])[0]
            chances = logits.log_softmax(-1)[:-1].gather(1, ids[1:, None])[:, 0]
            return (chances * (labels[1:] != IGNORE_INDEX)).sum()

        losses = []
        for number in range(len(PAIRS)):
            ratios = [
                summed(model, 2 * number + side) - summed(reference, 2 * number + side).detach() for side in (0, 1)
            ]
            chance = torch.sigmoid(0.3 * (ratios[0] - ratios[1]))
            losses.append(-(1 - smoothing) * chance.log() - smoothing * (1 - chance).log())
        loss = torch.stack(losses).mean()
        loss.backward()
        assert float(output.loss.detach()) == pytest.approx(float(loss.detach()), abs=1e-5)
        for name, value in model.named_parameters():
            torch.testing.assert_close(ours[name], value.grad, atol=1e-5, rtol=1e-4)


def test_at_the_reference_no_reply_is_preferred_and_ties_do_not_count(made: Made) -> None:
    model, batch, _, reference = batch_of(made)
    model.load_state_dict(reference.state_dict())
    output = model(**batch)
    assert float(output.loss.detach()) == pytest.approx(np.log(2), abs=1e-5)
    assert output.logits.abs().max() < 1e-4
    assert float(dpo_losses(torch.tensor([[0.0, 3.0]])).item()) < float(dpo_losses(torch.tensor([[0.0, 1.0]])).item())
    assert (torch.zeros(4, 2).argmax(1) == batch["labels"][:4]).sum() == 0


@pytest.mark.parametrize(("size", "accumulation"), [(1, 4), (2, 2), (4, 1)])
def test_a_steps_loss_is_the_mean_over_its_pairs(made: Made, tmp_path: Path, size: int, accumulation: int) -> None:
    """Where training starts from the reference, ln 2 of each pair, however the step's pairs are divided; of a family
    whose labels the Trainer counts from the second column on."""
    model = {"kind": "new", "family": "llama", "config": LLAMA}
    options = {"batch_size": size, "accumulation": accumulation, "logging_steps": 1, "metric": "loss"}
    section = TypeAdapter(Train).validate_python({"model": model, "learning_rate": 1e-9, **options})
    encoded = encode_pairs(made.encoding, made.tokenizer, PAIRS).encoded.encoded
    reference = reference_model(reference_of(section), made.folder).cpu()
    values = scoring.log_probabilities(reference, scoring.Batches(encoded, made.encoding.pad_id, 4))
    part = ComparedPart(
        [f"row-{n // 2}" for n in range(len(encoded))], np.zeros(0, np.int64), encoded, reference=values
    )
    training = open_training(made.folder)
    model = training.model(section, part)
    feed, quiet = training.feed({"train": part, "validation": part}), TrainingCallbacks(*[lambda *a: None] * 3)
    history = fit(section, model, feed, TrainingRun(tmp_path, quiet, 1), training.layout(model)).history
    assert history[0]["loss"] == pytest.approx(np.log(2), abs=1e-4)


def test_the_reference_of_adapters_is_the_base_model(made: Made) -> None:
    pytest.importorskip("peft", reason="the extra lora is not installed")
    _, _, part, reference = batch_of(made)
    lora = train_section(seed=1, lora={"rank": 2, "targets": "all-linear"})
    model = open_training(made.folder).model(lora, part).eval()
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value)
    pad = made.encoding.pad_id
    moved = scoring.log_probabilities(model, scoring.Batches(part.encoded, pad, 4))
    held = scoring.log_probabilities(
        reference_model(reference_of(lora), made.folder).cpu(), scoring.Batches(part.encoded, pad, 4)
    )
    assert np.abs(moved - part.reference).max() > 1e-2
    np.testing.assert_array_equal(held, part.reference)
    for module in model.modules():
        if hasattr(module, "lora_A"):
            module.enable_adapters(False)
    np.testing.assert_allclose(scoring.log_probabilities(model, scoring.Batches(part.encoded, pad, 4)), held, atol=1e-5)
    assert reference is not model


def test_what_a_killed_run_scored_is_not_scored_again(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BATCHES", 1)
    _, _, part, reference = batch_of(made)
    pad = made.encoding.pad_id
    whole = scoring.log_probabilities(reference, scoring.Batches(part.encoded, pad, 2))

    def stop(done: int, of: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scoring.log_probabilities(reference, scoring.Batches(part.encoded, pad, 2), scratch=tmp_path, done=stop)
    kept = sorted(tmp_path.glob("*.npy"))
    assert len(kept) == 3
    kept[0].write_bytes(kept[0].read_bytes()[:-1])  # torn
    scored: list[int] = []
    reference.register_forward_pre_hook(lambda *_: None)
    reference.base_model.register_forward_hook(lambda *_: scored.append(1))
    again = scoring.log_probabilities(reference, scoring.Batches(part.encoded, pad, 2), scratch=tmp_path)
    np.testing.assert_array_equal(again, whole)
    assert len(scored) == 3  # the torn one and the two that were not reached


def test_scores_are_what_the_margins_say() -> None:
    compared = Compared(np.array([2.0, -1.0, 1.0, 0.0]), np.array([0.0, 0.0, 2.0, 0.0]), 0.5, 0.1)
    facts = score_pairs(compared, Resampling(100, 0.95, 0))
    assert facts["reward_accuracy"] == 0.25 and facts["reward_margin"] == pytest.approx(0.0)
    due = dpo_losses(torch.tensor(compared.margin)[:, None] * torch.tensor([[0.0, 1.0]]), 0.1).mean()
    assert facts["loss"] == pytest.approx(float(due))
    low, high = facts["reward_accuracy_interval"]
    assert low <= 0.25 <= high


def test_a_report_sets_the_model_next_to_its_reference_and_to_length(made: Made) -> None:
    rows = table(PAIRS)
    encoded = encode_pairs(made.encoding, made.tokenizer, PAIRS).encoded.encoded
    part = ComparedPart([row for row in rows["id"] for _ in (0, 1)], np.zeros(10, np.int64), encoded)
    compared = Compared(np.array([3.0, 2.0, 1.0, 1.0, -9.0]), np.array([1.0, -1.0, -1.0, -1.0, -1.0]), 0.1)
    judged = judge(rows, PAIRS, compared, part, Evaluate(bootstrap=100))
    assert judged.facts["scores"]["reward_accuracy"] == 0.8
    assert judged.facts["baselines"] == {"reference": {"reward_accuracy": 0.2}, "longer": {"reward_accuracy": 0.0}}
    assert judged.facts["against"]["reference"]["gained"] == 3 and "row-4" in "\n".join(judged.examples)
    better = outcomes.outcomes(judged.answers, "preference", "reward_accuracy")
    assert better.statistics[:, 0].tolist() == [1, 1, 1, 1, 0]
    other = judged.answers.assign(log_ratio=-5.0)
    assert (
        outcomes.changed(judged.answers, outcomes.align(judged.answers, other, "preference"), "preference")["fixed"]
        == 4
    )


def test_the_key_of_a_reference_has_what_shapes_it_alone() -> None:
    plain = reference_of(train_section())
    same = [{"beta": 0.5}, {"learning_rate": 1e-3}, {"epochs": 3}, {"lora": {"rank": 4, "targets": "all-linear"}}]
    other = [{"seed": 7}, {"eval_batch_size": 2}, {"precision": "bfloat16"}]
    assert isinstance(plain, Reference)
    assert all(reference_of(train_section(**keys)) == plain for keys in same)
    assert all(reference_of(train_section(**keys)) != plain for keys in other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("train.label_smoothing=0.5", "label_smoothing is below 0.5"),
        ("train.beta=0", "beta"),
        ("train.metric=macro_f1", "macro_f1 needs classes"),
        ("train.class_weights=balanced", "class_weights is not read with encode.kind: preference"),
        ("evaluate.baselines=[majority]", "majority is none for encode.kind preference"),
        ("evaluate.max_new_tokens=9", "max_new_tokens is not read with encode.kind: preference"),
        ("register.metric=accuracy", "accuracy, but models of encode.kind preference"),
        ("download.name=hotel_dialogues", "encode.kind preference reads dialogues with a better and a worse reply"),
    ],
)
def test_what_a_recipe_cannot_ask_for_is_refused(change: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe(ROOT / "configs" / "hotel_preferences.yaml", [change])


def test_beta_is_of_preferences_alone() -> None:
    with pytest.raises(RecipeError, match=r"train\.beta is not read with encode.kind: dialogue"):
        load_recipe(ROOT / "configs" / "hotel_demo.yaml", ["train.beta=0.2"])
