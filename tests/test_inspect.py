"""temper inspect on small trained recipes: any row, random ones, mistakes; what is not there is said."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from typer import Exit

from configs.load import load_recipe
from flows import row_inspection
from flows.cli import inspect
from flows.stage_graph import perform_until
from tasks.artifact import Artifact
from tasks.data.ledger import read_ledger

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "configs" / "digits_demo.yaml"
SMALL = ["train.epochs=1", "train.model={kind: mlp, hidden: [16]}", "evaluate.bootstrap=100"]
TEXTS = """
name: texts
download: {kind: file, path: rows.csv}
clean: {steps: [whitespace, duplicates]}
encode: {kind: label_word, tokenizer: {kind: train, vocab_size: 400}, max_length: 32}
train:
  model: {kind: new, family: gpt2, config: {n_layer: 1, n_head: 1, n_embd: 8, n_positions: 32}}
evaluate: {bootstrap: 100}
register: {model: texts}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the digits are trained and evaluated."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TEMPER_HOME", str(place))
        perform_until(load_recipe(DIGITS, SMALL), "evaluate")
    return place


@pytest.fixture
def digits(trained: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Artifact]:
    """The digits' artifacts; their home is this test's."""
    monkeypatch.setenv("TEMPER_HOME", str(trained))
    return {name: outcome.result for name, outcome in perform_until(load_recipe(DIGITS, SMALL), "evaluate").items()}


def looked(capsys: pytest.CaptureFixture[str], *words: str, recipe: Path = DIGITS, **options: Any) -> dict[str, Any]:
    """The document of a call."""
    capsys.readouterr()
    inspect.command(recipe, [*words, *(SMALL if recipe == DIGITS else [])], **{"as_json": True, **options})
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str, code: int, recipe: Path = DIGITS, **options: Any) -> str:
    """The message of a call that fails."""
    capsys.readouterr()
    with pytest.raises(Exit) as ended:
        inspect.command(recipe, list(words), **options)
    assert ended.value.exit_code == code
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.faults
def test_a_row_of_each_part_by_number_id_and_file(
    digits: dict[str, Artifact], trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = read_ledger(digits["encode"].file("ledger.parquet"))
    for part in ("train", "validation", "test"):
        line = ledger[ledger["state"] == part].iloc[3]
        found = looked(capsys, str(line["number"]))
        assert (found["id"], found["part"], found["number"]) == (line["id"], part, line["number"])
        assert sum(found["probabilities"].values()) == pytest.approx(1) and len(found["probabilities"]) == 10
        assert found["predicted"] == max(found["probabilities"], key=found["probabilities"].__getitem__)
        assert looked(capsys, line["id"]) == looked(capsys, found["file"]) == found
        picture = Path(found["picture"])
        assert picture == trained / "inspected" / f"digits_demo-{line['id']}.png"
        with Image.open(picture) as image:
            assert image.format == "PNG" and image.width > 400


def test_the_answer_is_that_of_the_report(digits: dict[str, Artifact], capsys: pytest.CaptureFixture[str]) -> None:
    told = pd.read_parquet(digits["evaluate"].file("predictions.parquet")).iloc[5]
    found = looked(capsys, told["id"])
    assert (found["part"], found["true"], found["predicted"]) == ("test", told["label"], told["predicted"])
    assert list(found["probabilities"].values()) == pytest.approx(told["probabilities"].tolist(), abs=1e-5)


@pytest.mark.faults
def test_random_rows_and_mistakes_are_drawn_by_seed(
    digits: dict[str, Artifact], capsys: pytest.CaptureFixture[str]
) -> None:
    inspect.command(DIGITS, SMALL, seed=4, as_json=True)
    said = capsys.readouterr()
    first = json.loads(said.out)
    assert first["part"] == "test" and "drawn with --seed 4" in said.err
    assert looked(capsys, seed=4) == first
    assert len({looked(capsys, seed=seed)["id"] for seed in range(5)}) > 1
    answers = pd.read_parquet(digits["evaluate"].file("predictions.parquet"))
    mistakes = set(answers["id"][answers["label"] != answers["predicted"]])
    assert 0 < len(mistakes) < len(answers)
    for seed in range(5):
        found = looked(capsys, wrong=True, seed=seed)
        assert found["id"] in mistakes and found["true"] != found["predicted"]
    inspect.command(DIGITS, SMALL)
    again = capsys.readouterr()
    assert "drawn with --seed " in again.err and "picture: " in again.out


@pytest.mark.usefixtures("digits")
def test_what_the_terminal_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = looked(capsys, "3")
    inspect.command(DIGITS, ["3", *SMALL], out=tmp_path / "mine.png")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["row", "3", document["id"], document["part"], document["file"]]
    assert lines[1].split() == ["true", document["true"]] and lines[2].split() == ["predicted", document["predicted"]]
    for line, (label, p) in zip(lines[3:13], document["probabilities"].items(), strict=True):
        assert line.split() == [label, f"{p:.4f}", *(["█" * round(p * 30)] if round(p * 30) else [])]
    assert lines[13] == f"picture: {tmp_path / 'mine.png'}" and (tmp_path / "mine.png").is_file()


def test_nothing_is_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "3", *SMALL[:1], code=1)
    assert "download is not cached for this recipe" in message
    assert message.endswith(f"`temper run {DIGITS} train.epochs=1` comes first")
    assert not list(home.rglob("*.png")) and not list(home.rglob("manifest.json"))


@pytest.mark.usefixtures("digits")
def test_another_model_is_not_shown_instead(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "3", *SMALL, "train.seed=7", code=1)
    assert "train is not cached for this recipe (recipe: train.seed: None → 7)" in message
    message = refused(capsys, *SMALL, "evaluate.batch_size=7", wrong=True, code=1)
    assert "evaluate is not cached for this recipe" in message


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (["0"], {}, "no row has the number, id or text '0'; rows are numbered from 1 to 1,797"),
        (["digits/"], {}, "1,797 rows fit 'digits/'; give an id or a number:"),
        (["3"], {"wrong": True}, "--wrong draws a row at random; leave it out, or '3'"),
        (["3"], {"seed": 1}, "--seed draws a row at random; leave it out, or '3'"),
        (["3"], {"out": Path("x.jpg")}, "--out x.jpg: the picture is a PNG"),
        (["3", "train.epoch=2"], {}, "train.epoch"),
        (["3", "4"], {}, "override `4`: write it as section.key=value"),
    ],
)
def test_wrong_calls_end_with_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str], options: dict[str, Any], message: str
) -> None:
    assert message in refused(capsys, *words, *SMALL, code=2, **options)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sts_benchmark", "regression"),
        ("tweets_reason_t5", "seq2seq"),
        ("tweets_masked", "masked"),
        ("hotel_demo", "dialogue"),
    ],
)
def test_a_kind_without_classes_is_shown_by_trace(capsys: pytest.CaptureFixture[str], name: str, kind: str) -> None:
    message = refused(capsys, code=2, recipe=ROOT / "configs" / f"{name}.yaml")
    assert f"encode.kind {kind} has no classes to draw bars for; `temper trace` shows a row" in message


@pytest.mark.usefixtures("digits")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "not there" / "x.png"
    assert f"{gone}: No such file or directory" in refused(capsys, "3", *SMALL, code=1, out=gone)


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 0", ""),
        ("sleep 2", ""),
        ("echo no display >&2; exit 3", "xdg-open failed: no display; the picture is "),
        ("exit 4", "xdg-open failed: exit code 4; the picture is "),
        (None, "no viewer: xdg-open is not installed; the picture is "),
    ],
)
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # as it should be
def test_a_viewer_that_fails_is_said_and_not_fatal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str | None,
    message: str,
) -> None:
    monkeypatch.setattr(row_inspection, "PATIENCE", 0.5)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        shell = "/bin/sh"
        (tmp_path / "xdg-open").write_text(f'#!{shell}\necho "$1" > {tmp_path}/asked\nPATH=/usr/bin:/bin\n{script}\n')
        (tmp_path / "xdg-open").chmod(0o755)
    inspect.command(DIGITS, ["3", *SMALL], out=tmp_path / "x.png", view=True)
    said = capsys.readouterr()
    assert said.err.startswith(message) and bool(said.err) == bool(message) and "picture: " in said.out
    if script is not None:
        assert (tmp_path / "asked").read_text().strip() == str(tmp_path / "x.png")


@pytest.mark.faults
def test_a_text_is_shown_with_its_tokens_and_a_dropped_row_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"{'dull' if n % 2 else 'bright'} {n * 7919} story", "bad" if n % 2 else "good") for n in range(60)]
    rows += [("price=low said the sign", "good"), ("the same again", "good"), ("the same again", "good")]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(Path(os.environ["TEMPER_DATA"]) / "rows.csv", index=False)
    recipe = tmp_path / "texts.yaml"
    recipe.write_text(TEXTS, encoding="utf-8")
    perform_until(load_recipe(recipe), "train")
    inspect.command(recipe, ["price=low said the sign"])
    shown = capsys.readouterr().out
    assert "row 61" in shown and "·the│·sig│n│<|endoftext|>│" in shown
    assert "true       good" in shown
    assert looked(capsys, "price=low", recipe=recipe)["number"] == 61, "a = makes no change of the recipe of a text"
    message = refused(capsys, "63", code=1, recipe=recipe)
    assert "was dropped in clean: duplicate; the model never met it, and `temper trace` shows its way" in message
    assert "evaluate is not cached" in refused(capsys, wrong=True, code=1, recipe=recipe)


def test_a_model_without_mistakes_has_none_to_show(
    digits: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = pd.read_parquet(digits["evaluate"].file("predictions.parquet"))
    monkeypatch.setattr(pd, "read_parquet", lambda *a, **k: answers.assign(predicted=answers["label"]))
    assert "the model makes no mistake on the test rows" in refused(capsys, *SMALL, wrong=True, code=1)


def test_it_is_on_the_command_line() -> None:
    from flows.cli import COMMANDS, load_command

    assert "inspect" in COMMANDS and load_command("inspect").callback.__wrapped__ is inspect.command
