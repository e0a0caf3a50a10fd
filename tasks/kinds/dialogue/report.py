"""A dialogue model and its test dialogues -> what is known about it: scores with intervals, losses, transcripts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from configs.encodings import DialogueEncode
from configs.schema import Evaluate

from ...artifact import Artifact
from ...data.dialogues.messages import Message, is_call, load_messages, transcript
from ...data.rows import read_rows
from ...learn.evaluation_report import (
    Judged,
    Progress,
    Subject,
    chosen_baselines,
    describe,
    encoded_otherwise,
    save,
    state,
)
from ...learn.examples import save_examples
from ...learn.labels import IGNORE_INDEX
from ...learn.resampling import Resampling
from ...text.baselines import nearest
from ...text.chat.encoding import encode_dialogues, load_dialogue_encoding
from ...text.chat.end_of_turn import kind_of
from ...text.chat.predictor import Predictor
from ...text.chat.samples import sample_turns
from ...text.collation import pad_rows, rows_by_length
from ...text.encoding import FILE
from ...text.parts import Part, read_part
from ...text.segments import Encoded
from ...text.tokenizer import load_tokenizer
from ..spec import StageOutput
from .contests import contests, describe_contests, slices_of
from .metrics import Turn, score_turns
from .transcripts import Transcript, examples, markdown, page, sample_transcripts

SAMPLES = 4
"""Dialogues whose first written turn the registered model must repeat."""
LOOKED_AT = 6
"""Dialogues drawn at random for inspection."""
CALL_SCORES = ("argument_f1", "call_exact", "call_recall", "call_precision")
"""Scores of calls of tools."""
SHOWN = ("argument_f1", "call_exact", "reply_bleu", "reply_rouge_l")
"""Scores that the terminal shows."""


def require_same_inputs(folder: Path, test: pd.DataFrame, part: Part) -> None:
    """Raise DataError where a model's own files encode a test dialogue otherwise than training did."""
    encoding = load_dialogue_encoding(folder / FILE)
    tokenizer = load_tokenizer(folder, encoding.special)
    dialogues = [load_messages(messages) for messages in test["messages"]]
    encoded_again = encode_dialogues(encoding, tokenizer, dialogues)
    pairs = zip(_sequences(part.encoded), _sequences(encoded_again.encoded), strict=False)
    odd = [row for row, (trained, now) in zip(part.ids, pairs, strict=False) if trained != now]
    if odd or len(encoded_again.encoded) != len(part):
        raise encoded_otherwise((odd or part.ids)[0])


def _sequences(encoded: Encoded) -> list[tuple[list[int], list[int]]]:
    """Ids and labels of each sequence."""
    spans = [slice(begin, end) for begin, end in pairwise(encoded.offsets)]
    return [(encoded.ids[span].tolist(), encoded.labels[span].tolist()) for span in spans]


def judge(
    folder: Path, train: pd.DataFrame, test: pd.DataFrame, section: Evaluate, progress: Progress
) -> tuple[Judged, list[Transcript]]:
    """Let the model generate every turn of the test dialogues after the true history, and score. Raises DataError."""
    predictor = Predictor.load(folder)
    how = Resampling(section.bootstrap, section.confidence, section.seed)
    every = {row: load_messages(messages) for row, messages in zip(test["id"], test["messages"], strict=True)}
    chosen = np.sort(np.random.default_rng(section.seed).permutation(len(every))[: section.written or len(every)])
    dialogues = {row: every[row] for row in test["id"].iloc[chosen]}
    due = [(row, place) for row, messages in dialogues.items() for place in written_places(messages)]
    histories = [dialogues[row][:place] for row, place in due]
    replies = predictor.write(histories, section.batch_size, section.max_new_tokens, progress=progress)
    turns = [
        Turn(row, place, dialogues[row][place], reply.message, reply.ended)
        for (row, place), reply in zip(due, replies, strict=True)
    ]
    unread = unreadable_calls(predictor, dialogues, turns)
    readable = [turn for turn in turns if (turn.dialogue, turn.position) not in unread]
    scores = score_turns(readable, how)
    why = predictor.reader.why or "no due call reads back from what the template writes of it"
    measured = bool(scores["calls_due"]) or not unread
    if not measured:
        scores |= dict.fromkeys(CALL_SCORES)
    loss, losses = losses_by_kind(predictor, list(every.values()), section.batch_size)
    others: dict[str, list[Turn]] = {}
    if "nearest" in chosen_baselines("dialogue", DialogueEncode.traits, section):
        answers = nearest_turns([load_messages(messages) for messages in train["messages"]], histories)
        copied = [replace(turn, written=message, ended=True) for turn, message in zip(turns, answers, strict=True)]
        others["nearest"] = [turn for turn in copied if (turn.dialogue, turn.position) not in unread]
    baselines = {name: score_turns(copied, how) for name, copied in others.items()}
    scores["loss"] = loss
    facts = state(
        Subject("dialogue", DialogueEncode.traits, len(dialogues)), scores, section, shown=SHOWN, baselines=baselines
    )
    facts["scores"] |= {f"loss_{kind}": value for kind, value in losses.items()}
    facts["contests"] = contests(readable, others, slices_of(test, section.slices), how) if measured else []
    counted = ("dialogues", "turns", "calls_due", "calls_written", "ended")
    facts["unmeasured"] = {} if measured else dict.fromkeys(CALL_SCORES, why)
    facts["counts"] = {name: scores[name] for name in counted} | {"too_long": sum(not reply.fits for reply in replies)}
    shown = sample_transcripts(dialogues, turns, LOOKED_AT, section.seed)
    ended = sum(turn.ended for turn in turns)
    facts["counts"] |= {"turns": len(turns), "ended": ended, "unreadable_calls": len(unread)}
    notes = [_counted(facts["counts"], why if unread else ""), *describe_contests(facts["contests"])]
    first = ((row, places[0]) for row, messages in dialogues.items() if (places := written_places(messages)))
    samples = sample_turns(predictor, ((row, dialogues[row][:place]) for row, place in first), SAMPLES)
    return Judged(facts, _answers(turns), samples, notes), shown


def unreadable_calls(
    predictor: Predictor, dialogues: Mapping[str, Sequence[Message]], turns: Sequence[Turn]
) -> set[tuple[str, int]]:
    """Turns whose due calls do not read back from what the chat template writes of them: nothing generated could
    score there."""
    return {
        (turn.dialogue, turn.position)
        for turn in turns
        if is_call(turn.expected)
        and not predictor.reader.gives_back(turn.expected, predictor.callable(dialogues[turn.dialogue]))
    }


def written_places(messages: Sequence[Message]) -> list[int]:
    """Positions of the turns that the model generates."""
    return [place for place, message in enumerate(messages) if kind_of(message) is not None]


def nearest_turns(known: Sequence[Sequence[Message]], histories: Sequence[Sequence[Message]]) -> list[Message]:
    """The baseline: what training dialogues have behind the history that is most like each history, by TF-IDF of its
    last two turns."""
    places = [(messages, place) for messages in known for place in written_places(messages)]
    before = [transcript(list(messages[max(place - 2, 0) : place])) for messages, place in places]
    asked = [transcript(list(history[-2:])) for history in histories]
    return [places[at][0][places[at][1]] for at in nearest(before, asked)]


@torch.inference_mode()
def losses_by_kind(
    predictor: Predictor, dialogues: Sequence[Sequence[Message]], batch_size: int
) -> tuple[float, dict[str, float]]:
    """Mean loss in nats of all the tokens that the recipe trains on, and of each kind of them (replies, calls)."""
    kinds = predictor.encoding.train_on
    sums = {kind: _summed_loss(predictor, (kind,), dialogues, batch_size) for kind in kinds}
    losses: dict[str, float] = {kind: total / tokens for kind, (total, tokens) in sums.items() if tokens}
    total, tokens = np.sum(list(sums.values()), axis=0)
    return float(total / max(tokens, 1)), losses


def _summed_loss(
    predictor: Predictor, kinds: tuple[Any, ...], dialogues: Sequence[Sequence[Message]], batch_size: int
) -> tuple[float, int]:
    encoding = replace(predictor.encoding, train_on=kinds, packing=False)
    encoded = encode_dialogues(encoding, predictor.tokenizer, dialogues).encoded
    total, tokens = 0.0, 0
    for rows in rows_by_length(encoded.lengths, batch_size):
        batch = pad_rows(encoded, rows, encoding.pad_id)
        inputs = {name: torch.from_numpy(values).to(predictor.model.device) for name, values in batch.items()}
        targets = inputs.pop("labels")[:, 1:]
        kept = targets != IGNORE_INDEX
        hidden = predictor.model.base_model(**inputs, use_cache=False)[0]
        logits = predictor.model.get_output_embeddings()(hidden[:, :-1][kept])
        total += float(torch.nn.functional.cross_entropy(logits.float(), targets[kept], reduction="sum"))
        tokens += int(kept.sum())
    return total, tokens


def _answers(turns: Sequence[Turn]) -> pd.DataFrame:
    """A row per turn: true and written message as JSON."""
    columns = {
        "id": [turn.dialogue for turn in turns],
        "turn": [turn.position for turn in turns],
        "true": [json.dumps(turn.expected, ensure_ascii=False) for turn in turns],
        "written": [json.dumps(turn.written, ensure_ascii=False) for turn in turns],
        "ended": [turn.ended for turn in turns],
    }
    return pd.DataFrame(columns)


def _counted(counts: Mapping[str, int], why: str) -> str:
    unread = (
        f" Calls that nothing can earn, left out of the scores: {counts['unreadable_calls']:,}; {why}." if why else ""
    )
    return (
        f"Calls due {counts['calls_due']:,}, written {counts['calls_written']:,}; ended by the model "
        f"{counts['ended']:,} of {counts['turns']:,}; histories too long for it {counts['too_long']:,}, each counted "
        f"as an empty turn.{unread} Transcripts: transcripts.html."
    )


def save_transcripts(shown: Sequence[Transcript], records: Path) -> None:
    """Write some test dialogues with what the model generated next to the truth, as a page and as Markdown, and for the
    report."""
    (records / "transcripts.html").write_text(page(shown), encoding="utf-8")
    save_examples(examples(shown), records)
    (records / "transcripts.md").write_text(markdown(shown), encoding="utf-8")


def evaluate(out: StageOutput, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact) -> tuple[int, str]:
    """Let the model in `folder` write the test dialogues' turns, score them, write the report. Raises DataError."""
    train, test = (read_rows(splits.file(f"{part}.parquet")) for part in ("train", "test"))
    part = read_part(encoded.file("test.parquet"))
    kept = test[test["id"].isin(part.ids)]
    require_same_inputs(folder, kept, part)
    judged, transcripts = judge(folder, train, kept, section, lambda done, of: out.progress(done, of, "writing"))
    save(judged, out.data, out.records)
    save_transcripts(transcripts, out.records)
    counts = judged.facts["counts"]
    title = f"{counts['turns']:,} turns of {counts['dialogues']:,} test dialogues, each after the true history"
    return len(kept), describe(judged, title, "dialogues")


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> Mapping[str, object]:
    """Nothing: turns are written in `evaluate` and by `temper chat`."""
    return {}
