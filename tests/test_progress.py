"""The end of a run: its last two lines are the commonest problem of the data and the next command."""

import json

import pandas as pd
import pytest

from configs.settings import settings
from flows.cli.progress import ProgressDisplay
from flows.row_counts import commonest_problem
from tasks.artifact import Artifact, Version
from tasks.data.ledger import write_ledger

FACTS = {
    "shown": ["accuracy"],
    "scores": {"accuracy": 0.5},
    "intervals": {"accuracy": [0.4, 0.6]},
    "kind": "classifier",
    "content": "text",
    "baselines": {},
}


def ended(*lines: tuple[str, str, str], warnings: int = 0) -> dict[str, Artifact]:
    """The artifacts of a run whose ledger has these lines: state, stage, reason."""
    stages = {name: Artifact(name, "k", "") for name in ("validate", "encode")}
    stages["validate"].records.mkdir(parents=True)
    (stages["encode"].path / "data").mkdir(parents=True)
    rows = [{"id": f"{number}-0", "number": number + 1, "state": state, "stage": stage, "reason": reason}
            for number, (state, stage, reason) in enumerate(lines)]  # fmt: skip
    write_ledger(pd.DataFrame(rows), settings().store / "encode" / "k" / "data" / "ledger.parquet")
    broken = {"expectation": "max_duplicates", "found": "12 %", "holds": "no", "severity": "warn"}
    (stages["validate"].records / "table.json").write_text(json.dumps([broken] * warnings))
    return stages


TRAIN = ("train", "split", "")


def test_the_commonest_reason_is_named_whatever_the_stage() -> None:
    lines = [TRAIN] * 4 + [("dropped", "clean", "missing text")] + [("dropped", "split", "near-copy")] * 2
    problem = commonest_problem(ended(*lines, warnings=1))
    assert problem == "Dropped: 3 of 7 rows, 2 of them in split: near-copy"


def test_without_dropped_rows_the_first_warning_is_named_and_without_one_nothing() -> None:
    assert commonest_problem(ended(TRAIN, warnings=2)) == "Warning: max_duplicates: 12 %"


def test_of_faultless_data_nothing_is_said() -> None:
    assert commonest_problem(ended(TRAIN)) == ""


@pytest.mark.parametrize("problem", ["Dropped: 3 of 7 rows, 2 of them in split: near-copy", ""])
def test_the_last_lines_are_the_problem_and_the_next_command(capsys: pytest.CaptureFixture[str], problem: str) -> None:
    version = Version("reviews", "1", ("champion",), "promoted", "r", {}, FACTS, 1, example="not bad")
    ProgressDisplay().summary(version, "my.yaml train.epochs=3", problem)
    *_, first, second, last = capsys.readouterr().out.splitlines()
    assert last == "Try:     temper predict reviews@champion 'not bad'"
    if problem:
        assert (first, second) == (
            "Report:  temper report my.yaml train.epochs=3",
            f"{problem}; temper data my.yaml train.epochs=3",
        )
    else:
        assert second == "Report:  temper report my.yaml train.epochs=3"


@pytest.mark.parametrize(
    "shown",
    [
        ("argument_f1", "call_exact", "reply_bleu", "reply_rouge_l"),
        ("micro_f1", "macro_f1", "average_precision", "subset_accuracy"),
        ("pearson", "spearman", "rmse", "mae", "r2"),
    ],
)
def test_no_digit_of_a_score_is_cut_at_80_columns(
    shown: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    scores = {name: 0.12345 + number for number, name in enumerate(shown)}
    facts = {**FACTS, "shown": list(shown), "scores": scores, "intervals": {shown[0]: [0.1, 0.2]}}
    version = Version("m", "1", (), "kept", "r", scores, facts | {"baselines": {"nearest": scores}}, 1)
    ProgressDisplay().summary(version)
    lines = capsys.readouterr().out.splitlines()
    for row in ("this model", "nearest"):
        line = next(line for line in lines if line.startswith(row))
        assert all(f"{value:.4f}" in line.split() for value in scores.values()), lines
    assert max(map(len, lines)) <= 80
