"""`temper label`: from a teacher and unlabelled texts to a recipe that trains on them too; and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import typer
from tiny import ROOT, TINY, planted, run

from configs.load import RecipeError, load_recipe
from configs.schema import Recipe
from configs.settings import settings
from flows.cli import label
from flows.plan import plan
from flows.pseudo_labels import Written, added_to, apply, pseudo_label
from flows.row_inspection import look_at_row
from flows.row_trace import follow
from flows.stage_graph import perform_until
from flows.unlabelled_rows import confidences, pseudo_labels_of
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.data.ledger import read_ledger
from tasks.data.sources.added_artifacts import stored
from tasks.kinds import pseudo_labelling, spec
from tasks.kinds.pseudo_labelling import KNOWN
from tasks.learn.confident_labels import DIFFERENT
from tasks.store.events import Event
from tasks.store.sweep import Catalogue
from tasks.tracking.models import model_folder

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
MODEL = [change for change in TINY if "epochs" not in change]
NEW, REST = 120, 40
GIVEN = {"column": None, "pair": None, "truth": "truth", "reading": {}, "agree": False, "balance": False}


def text() -> str:
    demo = (ROOT / "configs" / "reviews_demo.yaml").read_text(encoding="utf-8")
    return demo.replace("kind: embedded\n  name: reviews", "kind: file\n  path: rows.csv").replace(
        "min_rows: 600", "min_rows: 100"
    )


@pytest.fixture
def own(harness: None, heard: list[Event], place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of 400 labelled rows, whose model is registered as reviews-demo, and 160 rows without a label."""
    monkeypatch.setenv("TEMPER_DATA", str(place))
    path = place / "own.yaml"
    if not path.exists():
        everything = planted(400 + NEW)
        everything[:400].to_csv(place / "rows.csv", index=False)
        more = pd.concat([everything[400:], everything[:REST]], ignore_index=True).rename(columns={"label": "truth"})
        more.to_csv(place / "more.csv", index=False)
        path.write_text(text(), encoding="utf-8")
        run(loaded(path), heard)
    return path


def loaded(path: Path, *changes: str) -> Recipe:
    return load_recipe(path, [*MODEL, "train.epochs=2", "register.thresholds={}", *changes])


def labelled(path: Path, *changes: str, teachers: tuple[str, ...] = ("reviews-demo",), **given: Any) -> Written:
    asked: dict[str, Any] = {**GIVEN, **given}
    recipe = loaded(path, *changes)
    least = asked.pop("least", 0.5), asked.pop("by_label", {})
    section = pseudo_labels_of(recipe, path.parent / "more.csv", teachers, least, asked)
    return pseudo_label(recipe, section)


def test_rows_are_labelled_added_and_trained_on_and_nothing_held_out_moves(own: Path, heard: list[Event]) -> None:
    written = labelled(own)
    counts = written["report"]
    assert counts["rows"] == NEW + REST and counts["taken"] == NEW
    held = {"near-copy of a test row", "near-copy of a validation row"}
    assert sum(counts["left_out"].values()) == REST and held < {*counts["left_out"]} <= {*held, KNOWN}
    known = counts["precision"]
    assert known is not None and known["known"] == NEW and known["low"] <= known["share"] <= known["high"]
    assert sum(count["taken"] for count in counts["labels"].values()) == NEW

    before = perform_until(loaded(own), "encode")
    more = loaded(own, added_to(loaded(own), written["artifact"]))
    done = perform_until(more, "evaluate")
    for part in ("validation", "test"):
        one, other = (outcome["split"].result.file(f"{part}.parquet").read_bytes() for outcome in (before, done))
        assert one == other, part
    train = pq.read_table(done["split"].result.file("train.parquet")).to_pandas()
    assert int(train["made_by"].notna().sum()) == NEW
    ledger = read_ledger(done["encode"].result.file("ledger.parquet"))
    added = ledger[ledger["made_by"].notna()]
    assert len(added) == NEW and set(added["state"]) == {"train"}
    raw = done["download"].result
    assert raw.manifest()["auxiliary"]["pseudo_labels"]["digest"] == written["artifact"]
    assert f"{written['artifact'][:12]} are added" in (raw.records / "summary.md").read_text()

    stages = {name: outcome.result for name, outcome in done.items()}
    last = int(added["number"].iloc[-1]) - 1
    named = f"pseudo_labels {written['artifact'][:12]}"
    assert look_at_row(stages, last).document(Path("row.png"))["made_by"] == named
    way = follow(more, stages, last)
    assert (way["raw"]["made_by"], way["split"]["because of"]) == (named, "added for training")

    lines, _, _ = plan(more, ask=False)
    assert [(line["status"], line["within"]) for line in lines if line["stage"] == "pseudo_labels"] == [
        ("cached", "download")
    ]
    kept = Catalogue.read(settings().store).reached({("download", raw.key): "kept"})
    assert [key for stage, key in kept if stage == "pseudo_labels"] == [Path(written["path"]).name]
    assert labelled(own) == written, "served"


def test_rows_lie_in_the_remote_or_are_asked_for(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_REMOTE", f"file://{tmp_path}/shared")
    written = labelled(own, least=0.51)
    more = loaded(own, added_to(loaded(own), written["artifact"]))
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(tmp_path / "another home's"))
    assert [line["status"] for line in plan(more, ask=False)[0] if line["stage"] == "pseudo_labels"] == ["unknown"]
    perform_until(more, "download")
    extra = more.download.extra[0]  # type: ignore[union-attr]
    assert stored(extra) is not None
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(tmp_path / "a third"))
    monkeypatch.delenv("TEMPER_REMOTE")
    with pytest.raises(DataError, match=rf"pseudo_labels {written['artifact'][:12]} is in no store .* `temper label`"):
        perform_until(more, "download")


def test_damaged_rows_are_not_read(own: Path) -> None:
    written = labelled(own, least=0.52)
    more = loaded(own, added_to(loaded(own), written["artifact"]), "download.encoding=utf-8-sig")
    every = sorted(Path(written["path"]).parent.glob("*/data/rows.parquet"))
    whole = [path.read_bytes() for path in every]
    for path, content in zip(every, whole, strict=True):
        path.write_bytes(content[:-1] + b"?")
    with pytest.raises(DataError, match="is in no store"):
        perform_until(more, "download")
    for path, content in zip(every, whole, strict=True):
        path.write_bytes(content)
    perform_until(more, "download")


def test_a_killed_call_does_not_ask_the_teacher_again(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudo_labelling, "SHARD", 50)
    asked: list[int] = []
    whole = pseudo_labelling._predicted

    def predicted(predictor: object, some: list[object]) -> object:
        asked.append(len(some))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(predictor, some)

    monkeypatch.setattr(pseudo_labelling, "_predicted", predicted)
    with pytest.raises(KeyboardInterrupt):
        labelled(own, least=0.53)
    assert labelled(own, least=0.53)["report"]["taken"] > 0
    assert asked == [50, 50, 20, 20]


def test_two_teachers_agree_and_labels_are_balanced(
    own: Path, heard: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: both name the last word's label, but the second is wrong on texts with an `a` in the first word."""
    run(loaded(own, "train.seed=7", "register.model=second"), heard)
    asked: list[object] = []

    def predicted(predictor: object, some: list[str]) -> object:
        asked.append(predictor)
        odd = [len(asked) == 2 and "a" in text.split()[0] for text in some]
        right = [text.endswith("good") for text in some]
        pos = np.array([0.8 if good != wrong else 0.1 for good, wrong in zip(right, odd, strict=True)])
        return np.stack([1 - pos, pos], 1)

    monkeypatch.setattr(pseudo_labelling, "_predicted", predicted)
    written = labelled(own, teachers=("reviews-demo", "second/1"), agree=True, balance=True)
    report = written["report"]
    new = planted(400 + NEW)[400:]
    differ = new["text"].str.split().str[0].str.contains("a")
    fewest = int(new["label"][~differ].value_counts().min())
    assert {name: count["taken"] for name, count in report["labels"].items()} == {"neg": fewest, "pos": fewest}
    assert report["left_out"][DIFFERENT] == int(differ.sum())
    assert report["precision"] is not None and report["precision"]["share"] == 1.0
    account = pq.read_table(Path(written["path"]) / "data" / "account.parquet").to_pandas()
    assert account["number"].tolist() == list(range(1, NEW + REST + 1))
    assert (account["reason"] == "").sum() == 2 * fewest

    asked.clear()
    monkeypatch.setattr(pseudo_labelling, "_predicted", lambda _, some: np.tile([0.9, 0.1], (len(some), 1)))
    with pytest.raises(DataError, match="no row is confidently labelled pos, so --balance leaves none"):
        labelled(own, least=0.6, balance=True)


def test_rows_of_a_teacher_that_knows_the_held_out_rows_are_refused_by_a_run_too(own: Path, heard: list[Event]) -> None:
    """Planted: `split` is changed after the rows were labelled."""
    written = labelled(own)
    more = loaded(own, added_to(loaded(own), written["artifact"]), "split.seed=9")
    with pytest.raises(StageError, match=r"download.extra: reviews-demo version 1 was trained or chosen on \d+ of the"):
        run(more, heard)
    again = loaded(own, added_to(loaded(own), written["artifact"]))
    section = pseudo_labels_of(again, own.parent / "more.csv", ("reviews-demo",), (0.5, {}), GIVEN)
    with pytest.raises(DataError, match=rf"no row is taken: {NEW} added already.*; give other rows"):
        pseudo_label(again, section)


def test_the_command_checks_before_it_computes(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = own.parent / "more.csv"
    for rows, changes, given, said in (
        (own.parent / "nowhere.csv", [], {}, "no such file"),
        (more, ["split.seed=1"], {"apply": True}, "--apply writes into the file, whose rows split.seed=1"),
        (more, [], {"confidence": ["7"]}, "give a probability from 0 to 1"),
    ):
        with pytest.raises(typer.Exit):
            label.command(own, rows, ["reviews-demo"], changes, **given)  # type: ignore[arg-type]
        assert said in " ".join(capsys.readouterr().err.split())


def test_what_cannot_be_labelled_is_refused(own: Path, heard: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match=r"--teacher: reviews-demo version 1 was trained or chosen on \d+ of the"):
        labelled(own, "split.seed=9")
    with pytest.raises(DataError, match=r"no row is taken: .*120 not confident.*lower the confidence"):
        labelled(own, least=1.0)
    with pytest.raises(DataError, match="words"):
        labelled(own, column="words")
    with pytest.raises(DataError, match=r"--confidence spam=…: the recipe has no such label; its labels: neg, pos"):
        labelled(own, by_label={"spam": 0.5})
    with pytest.raises(RecipeError, match="--pair: this recipe reads one text"):
        labelled(own, pair="truth")
    with pytest.raises(RecipeError, match="--teacher is empty"):
        labelled(own, teachers=("",))
    with pytest.raises(StageError, match="nobody"):
        labelled(own, teachers=("nobody",))
    with pytest.raises(RecipeError, match="the same version twice"):
        labelled(own, teachers=("reviews-demo", "reviews-demo/1"))
    with pytest.raises(RecipeError, match="--agree asks two or more"):
        labelled(own, agree=True)
    other = "download.columns.label_map={neg: bad, pos: good}"
    with pytest.raises(DataError, match="the teacher has no label 'bad'; its labels: neg, pos"):
        labelled(own, other, "validate.labels=[bad, good]", "encode.label_words={bad: bad, good: good}", truth=None)
    with monkeypatch.context() as patch:
        patch.setattr(spec, "kind_in", lambda folder: "image")
        with pytest.raises(DataError, match=r"--teacher: the teacher is .* and reads images"):
            labelled(own)
    digits = load_recipe(ROOT / "configs" / "digits_demo.yaml")
    with pytest.raises(RecipeError, match="texts with one label each"):
        pseudo_labels_of(digits, own, ["reviews-demo"], (0.9, {}), {})
    assert model_folder("reviews-demo", "1").is_dir()


def test_confidences_are_of_all_labels_or_of_one() -> None:
    assert confidences([]) == (0.9, {})
    assert confidences(["0.8", "a=b=0.7"]) == (0.8, {"a=b": 0.7})
    for odd in ("2", "pos=", "nan", "much"):
        with pytest.raises(RecipeError, match="give a probability from 0 to 1"):
            confidences([odd])
    for twice in (["=0.5"], ["0.4", "0.3"], ["pos=0.4", "pos=0.4"]):
        with pytest.raises(RecipeError, match="name each label once"):
            confidences(twice)


def test_the_command_writes_into_the_recipe(own: Path) -> None:
    written = labelled(own)
    path = own.with_name("applied.yaml")
    path.write_text(text(), encoding="utf-8")
    recipe = load_recipe(path)
    assert "adds 120 rows for training" in apply(path, recipe, written)
    again = load_recipe(path)
    assert again.download.extra[0].artifact == written["artifact"]  # type: ignore[union-attr]
    assert json.loads(added_to(again, "1" * 64).partition("=")[2])[0]["artifact"] == written["artifact"]
    assert added_to(again, written["artifact"]).count("artifact") == 1, "not added twice"
