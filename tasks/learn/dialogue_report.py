"""A dialogue model and its test dialogues -> what is known about it: scores with intervals, losses, transcripts."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from configs.schema import Evaluate
from configs.scores import SCORES

from ..data.messages import Message, load_messages, transcript
from ..text.baselines import nearest
from ..text.chat import Predictor, spoken
from ..text.collation import pad_rows
from ..text.dialogue import encode_dialogues
from ..text.endings import kind_of
from ..text.segments import IGNORE_INDEX
from .resampling import Resampling
from .transcripts import markdown, page, sample_transcripts
from .turn_scores import Turn, score_turns

SAMPLES = 4
"""Dialogues whose first written turn the registered model must repeat."""
LOOKED_AT = 6
"""Dialogues drawn at random to be looked at."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Judged:
    """Test dialogues by id, their turns as the model wrote them, rows of samples, and the facts that follow."""

    dialogues: dict[str, list[Message]]
    turns: list[Turn]
    samples: list[dict[str, Any]]
    facts: dict[str, Any]


def judge(folder: Path, train: pd.DataFrame, test: pd.DataFrame, section: Evaluate, progress: Progress) -> Judged:
    """Let the model write every turn of the test dialogues after the true history, and score. Raises DataError."""
    predictor = Predictor.load(folder)
    how = Resampling(section.bootstrap, section.confidence, section.seed)
    every = {row: load_messages(messages) for row, messages in zip(test["id"], test["messages"], strict=True)}
    chosen = np.sort(np.random.default_rng(section.seed).permutation(len(every))[: section.written or len(every)])
    dialogues = {row: every[row] for row in test["id"].iloc[chosen]}
    due = [(row, place) for row, messages in dialogues.items() for place in written_places(messages)]
    histories = [dialogues[row][:place] for row, place in due]
    made = predictor.write(histories, section.batch_size, section.max_new_tokens, progress=progress)
    turns = [
        Turn(row, place, dialogues[row][place], one.message, one.ended)
        for (row, place), one in zip(due, made, strict=True)
    ]
    found = score_turns(turns, how)
    losses = losses_by_kind(predictor, list(every.values()), section.batch_size)
    scores = {name: found[name] for name in SCORES["dialogue"] if found.get(name) is not None}
    facts: dict[str, Any] = {
        "kind": "dialogue",
        "content": "messages",
        "labels": [],
        "rows": len(dialogues),
        "confidence": section.confidence,
        "scores": scores | {f"loss_{kind}" if kind != "all" else "loss": value for kind, value in losses.items()},
        "intervals": {name: found[f"{name}_interval"] for name in scores if found.get(f"{name}_interval")},
        "shown": [name for name in ("slot_f1", "search_exact", "reply_bleu", "reply_rouge_l") if name in scores],
        "counts": {name: found[name] for name in ("dialogues", "turns", "calls_due", "calls_written", "ended")}
        | {"too_long": sum(not one.fits for one in made)},
        "baselines": {},
    }
    if section.baselines is None or "nearest" in section.baselines:
        known = [load_messages(messages) for messages in train["messages"]]
        answers = nearest_turns(known, histories)
        beside = [replace(turn, written=message, ended=True) for turn, message in zip(turns, answers, strict=True)]
        values = score_turns(beside, how)
        facts["baselines"]["nearest"] = {score: values[score] for score in scores if values.get(score) is not None}
    return Judged(dialogues, turns, _samples(predictor, dialogues), facts)


def written_places(messages: Sequence[Message]) -> list[int]:
    """Positions of the turns that the model writes."""
    return [place for place, message in enumerate(messages) if kind_of(message) is not None]


def nearest_turns(known: Sequence[Sequence[Message]], histories: Sequence[Sequence[Message]]) -> list[Message]:
    """The baseline: what training dialogues have behind the history that is most like each history, by TF-IDF of its
    last two turns."""
    places = [(messages, place) for messages in known for place in written_places(messages)]
    before = [transcript(list(messages[max(place - 2, 0) : place])) for messages, place in places]
    asked = [transcript(list(history[-2:])) for history in histories]
    return [places[at][0][places[at][1]] for at in nearest(before, asked)]


@torch.inference_mode()
def losses_by_kind(predictor: Predictor, dialogues: Sequence[Sequence[Message]], batch_size: int) -> dict[str, float]:
    """Mean loss in nats of the supervised tokens of replies, of calls and of all that the recipe trains on."""
    kinds = predictor.encoding.train_on
    sums = {kind: _summed_loss(predictor, (kind,), dialogues, batch_size) for kind in kinds}
    found = {kind: total / tokens for kind, (total, tokens) in sums.items() if tokens}
    total, tokens = np.sum(list(sums.values()), axis=0)
    return found | {"all": float(total / max(tokens, 1))}


def _summed_loss(
    predictor: Predictor, kinds: tuple[Any, ...], dialogues: Sequence[Sequence[Message]], batch_size: int
) -> tuple[float, int]:
    encoding = replace(predictor.encoding, train_on=kinds, packing=False)
    encoded = encode_dialogues(encoding, predictor.tokenizer, dialogues).encoded
    total, tokens = 0.0, 0
    order = np.argsort(encoded.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        batch = pad_rows(encoded, order[start : start + batch_size], encoding.pad_id)
        inputs = {name: torch.from_numpy(values).to(predictor.model.device) for name, values in batch.items()}
        targets = inputs.pop("labels")[:, 1:]
        kept = targets != IGNORE_INDEX
        hidden = predictor.model.base_model(**inputs, use_cache=False)[0]
        logits = predictor.model.get_output_embeddings()(hidden[:, :-1][kept])
        total += float(torch.nn.functional.cross_entropy(logits.float(), targets[kept], reduction="sum"))
        tokens += int(kept.sum())
    return total, tokens


def _samples(predictor: Predictor, dialogues: Mapping[str, Sequence[Message]]) -> list[dict[str, Any]]:
    """Histories as OpenAI's interface has them, and what a request with each gives."""
    found = []
    for row, messages in list(dialogues.items())[:SAMPLES]:
        places = written_places(messages)
        if places:
            asked = [spoken(message) for message in messages[: places[0]]]
            answer = predictor.complete({"messages": asked})["choices"][0]["message"]
            found.append({"id": row, "messages": asked, "answer": answer})
    return found


def save(judged: Judged, section: Evaluate, data: Path, records: Path) -> None:
    """Write report.json and predictions.parquet (data), sample rows and transcripts (records)."""
    (data / "report.json").write_text(json.dumps(judged.facts, indent=1, sort_keys=True), encoding="utf-8")
    turns = [asdict(turn) for turn in judged.turns]
    columns = {
        "id": [turn["dialogue"] for turn in turns],
        "turn": [turn["position"] for turn in turns],
        "true": [json.dumps(turn["expected"], ensure_ascii=False) for turn in turns],
        "written": [json.dumps(turn["written"], ensure_ascii=False) for turn in turns],
        "ended": [turn["ended"] for turn in turns],
    }
    pq.write_table(pa.table(columns), data / "predictions.parquet", compression="zstd")
    text = json.dumps(judged.samples, ensure_ascii=False, indent=1)
    (records / "samples.json").write_text(text, encoding="utf-8")
    shown = sample_transcripts(judged.dialogues, judged.turns, LOOKED_AT, section.seed)
    (records / "transcripts.html").write_text(page(shown), encoding="utf-8")
    (records / "transcripts.md").write_text(markdown(shown), encoding="utf-8")


def describe(judged: Judged) -> str:
    """The report as Markdown."""
    facts = judged.facts
    counts, names = facts["counts"], facts["scores"]
    lines = [
        f"# evaluate: {counts['turns']:,} turns of {counts['dialogues']:,} test dialogues, each after the true history",
        "",
        f"| | this model | interval | {' | '.join(facts['baselines'])} |",
        "|---|---:|---:|" + "---:|" * len(facts["baselines"]),
    ]
    for name, value in names.items():
        low, high = facts["intervals"].get(name, (None, None))
        between = "" if low is None else f"{low:.4f} – {high:.4f}"
        others = [f"{one[name]:.4f}" if name in one else "" for one in facts["baselines"].values()]
        lines.append(f"| {name.replace('_', ' ')} | {value:.4f} | {between} | {' | '.join(others)} |")
    lines += ["", f"Searches due {counts['calls_due']:,}, written {counts['calls_written']:,}; ended by the model "
              f"{counts['ended']:,} of {counts['turns']:,}; histories too long for it {counts['too_long']:,}, "
              f"each counted as an empty turn. Intervals: {facts['confidence']:.0%} bootstrap over "
              "dialogues. Transcripts: transcripts.html."]  # fmt: skip
    return "\n".join(lines)
