"""A plain folder -> the checks of its gate: transformers alone first, then what MLflow serves of it."""

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ...data.errors import DataError
from ...store.events import Event, emit
from ...text.writer import Ends
from ...tracking import exports
from .. import gate
from ..gate import Check
from ..judge import Judged
from . import checks
from .questions import Question, ask, histories
from .write_folder import kept

WRITTEN = 0.98
"""Smallest share of written texts that stay: one row alone is added up in another order than one of a batch, and where
two tokens are as likely the text goes on from the other one."""
REPLIES = 16
"""Prompts of a model that compares replies that are written too."""
SERVED = 8
"""Test rows that a writer is asked as MLflow serves it."""


def judge_plain(judged: Judged, report: gate.GateReport) -> gate.GateReport:
    """The report on a folder with the registered weights, of which transformers alone must make the same."""
    emit(Event("export", "note", f"asking transformers {len(judged.rows):,} test rows in a process of its own"))
    files = gate.same_files(judged.origin.folder, judged.folder, kept(judged.origin.folder))
    if not files.passed:
        return gate.conclude(report, [files])
    most = int(judged.origin.how().get("max_new_tokens", 1))
    questions = ask(judged.kind, judged.predictor, judged.rows, most)
    asked = [at for at, question in enumerate(questions) if not question.why]
    left = Counter(question.why for question in questions if question.why)
    units = judged.rules.units
    narrowed = replace(
        judged,
        predictions=judged.predictions.iloc[asked].reset_index(drop=True),
        rows=judged.rows.iloc[asked].reset_index(drop=True),
        rules=replace(judged.rules, units=None if units is None else [units[at] for at in asked]),
    )
    report["left_out"] = len(questions) - len(asked)
    try:
        done, report["changed"] = _judge(narrowed, [questions[at] for at in asked], left, most)
    except DataError as error:
        done = [Check("loads", False, str(error))]
    return gate.conclude(report, [files, *done])


def _judge(
    judged: Judged, questions: Sequence[Question], left: Counter[str], most: int
) -> tuple[list[Check], list[dict[str, object]]]:
    """The checks, as far as the first that fails makes others pointless, and the predictions that changed."""
    kind, ids = judged.kind, judged.rows["id"].tolist()
    compares = not kind.exports and "written" not in judged.predictions
    answers = checks.answer(kind, judged.folder, questions, REPLIES if compares else len(questions))
    done = [checks.same_tokens(questions, answers, ids, left)]
    if not done[-1].passed:
        return done, []
    if kind.exports:
        done.append(checks.same_outputs(judged.predictor, questions, answers, judged.rules.tolerance))
        if done[-1].passed:
            return _served_scores(judged, done)
        return done, []
    written = _written(judged, [answered["written"] for answered in answers if "written" in answered])
    table = _served(judged, len(judged.rows) if compares else SERVED)
    if compares:
        done.append(_same_replies(judged, written, most))
    else:
        first = judged.predictions.head(SERVED)
        odd = int((table["written"].to_numpy() != first["written"].to_numpy()).sum())
        done.append(Check("served", not odd, f"{len(first) - odd} of {len(first)} texts as registered, by MLflow"))
        table = judged.predictions.assign(written=written["written"], ended=written["ended"])
    rules = judged.rules if compares else _of_writers(judged.rules)
    done += gate.compare_tables(judged.predictions, table, rules)
    return done, gate.list_changes(judged.predictions, table, judged.rules.kind)


def _served_scores(judged: Judged, done: list[Check]) -> tuple[list[Check], list[dict[str, object]]]:
    """What MLflow serves of a kind that scores rows, next to what the registered version gave."""
    with tempfile.TemporaryDirectory() as scratch:
        saved = _saved(judged, scratch)
        table, scores = exports.ask(judged.origin, saved, judged.rows, judged.predictions)
    given = gate.Side(judged.predictions, judged.predictor.scores(list(judged.rows["content"])))
    served = gate.Side(table, scores)
    done += gate.compare(given, served, judged.rules)
    return done, gate.list_changes(given.table, served.table, judged.rules.kind)


def _served(judged: Judged, count: int) -> pd.DataFrame:
    """The table of the first rows as MLflow serves them."""
    with tempfile.TemporaryDirectory() as scratch:
        saved = _saved(judged, scratch)
        return exports.ask_table(judged.origin, saved, judged.rows.head(count), judged.predictions.head(count))


def _saved(judged: Judged, scratch: str) -> str:
    return str(exports.save_model(judged.origin, judged.folder, Path(scratch) / "model", judged.rules.route.serves))


def _of_writers(rules: gate.Rules) -> gate.Rules:
    return replace(rules, route=replace(rules.route, agreement=min(rules.route.agreement, WRITTEN)))


def _written(judged: Judged, rows: Sequence[Sequence[int]]) -> pd.DataFrame:
    """Written ids of the first rows as `evaluate` keeps texts: columns written and ended.

    Ids that go on behind an end are kept whole: what reads the folder would show them too.
    """
    predictor, ends = judged.predictor, _ends(judged)
    cut = [len(ids) - 1 if ids and ends.stop(ids[-1], len(ids) - 1) else None for ids in rows]
    texts = predictor.tokenizer.decode([list(ids[:end]) for ids, end in zip(rows, cut, strict=True)])
    if judged.kind.chats:
        before = histories(judged.rows.head(len(rows)))
        read = [predictor.read(text, messages) for text, messages in zip(texts, before, strict=True)]
        texts = [json.dumps(message, ensure_ascii=False) for message in read]
    else:
        texts = [text.strip() for text in texts]
    return pd.DataFrame({"written": texts, "ended": [end is not None for end in cut]})


def _ends(judged: Judged) -> Ends:
    encoding = judged.predictor.encoding
    return Ends(frozenset(encoding.end_ids if judged.kind.chats else [encoding.special["eos"]]))


def _same_replies(judged: Judged, written: pd.DataFrame, most: int) -> Check:
    """Whether plain transformers writes what the registered model does, of a kind that compares replies."""
    own = judged.predictor.write(histories(judged.rows.head(len(written))), longest=most)
    same = [json.loads(text) == turn.message for text, turn in zip(written["written"], own, strict=True)]
    share = sum(same) / max(len(same), 1)
    return Check("transformers", share >= WRITTEN, f"{sum(same)} of {len(same)} replies as the registered model's")
