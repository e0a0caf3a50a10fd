"""Predictions of files and folders: every row once, the same bytes whatever interrupted them, refusals by row."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from registered import picture, register_images, register_masked, register_texts

from configs.load import RecipeError
from flows.cli import predict
from flows.model_inputs import open_model
from tasks.artifact import StageError, digest_file
from tasks.data.errors import DataError
from tasks.inference.batch import Model, Predicted, predict_into, predict_stream
from tasks.inference.finished_batches import Finished
from tasks.inference.inputs import Images, Texts, open_folder, open_table
from tasks.inference.outputs import Tally

COLUMNS = {"label": "string", "probability": "double"}
IDENTITY = {"model": "lengths", "version": "1", "digest": "d", "libraries": {"torch": "2"}}
ROWS = 70


def lengths(given: Any) -> pd.DataFrame:
    """A model whose answers are easy to check: how long a text is."""
    sizes = [len(one) for one in given]
    if 13 in sizes:
        raise StageError("13 brings bad luck")
    return pd.DataFrame(
        {"label": [f"label, \u201c{size % 3}\u201d" for size in sizes], "probability": [1 / 3 + size for size in sizes]}
    )


class Stopped(Exception):
    """What ends a prediction in the middle."""


class Stopping:
    """The same model, ended at its n-th question."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, given: Any) -> pd.DataFrame:
        self.left -= 1
        if self.left < 0:
            raise Stopped
        return lengths(given)


def model(ask: Any = lengths, **identity: Any) -> Model:
    return Model(ask, COLUMNS, IDENTITY | identity)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table whose texts have lengths of their own, with a column that the answers' name clashes with."""
    path = tmp_path / "rows.csv"
    texts = ["é" * (number % 12) + "x" for number in range(ROWS)]
    pd.DataFrame({"text": texts, "label": [f"{n}\n," for n in range(ROWS)]}).to_csv(path, index=False)
    return path


def small(path: Path, column: str = "text", batch: int = 8) -> Texts:
    return Texts(path, open_table(path, column).rows, column, batch)


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".jsonl":
        return pd.DataFrame([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    return pd.read_csv(path, dtype={"label": str})


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_every_row_has_its_answer_beside_its_own_columns(table: Path, tmp_path: Path, ending: str) -> None:
    done = predict_into(tmp_path / f"out{ending}", small(table), model())
    found, rows = read(tmp_path / f"out{ending}"), pd.read_csv(table, dtype=str)
    assert list(found) == ["text", "label", "predicted label", "probability"]
    wanted = lengths(rows["text"].tolist())
    assert (
        found[["text", "label"]].equals(rows)
        or found[["text", "label"]].to_numpy().tolist() == rows.to_numpy().tolist()
    )
    assert found["predicted label"].tolist() == wanted["label"].tolist()
    assert found["probability"].tolist() == wanted["probability"].tolist(), "to the last digit"
    assert done == Predicted(ROWS, 0, 0, done.summary)
    assert done.summary == wanted["label"].value_counts().to_dict()
    assert not (tmp_path / f"out{ending}.partial").exists()


def test_without_an_output_the_same_rows_come_in_batches(table: Path, tmp_path: Path) -> None:
    predict_into(tmp_path / "out.csv", small(table), model())
    streamed = "".join(
        one.to_csv(index=False, header=n == 0) for n, one in enumerate(predict_stream(small(table), model()))
    )
    assert streamed.encode() == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_stopped_anywhere_it_ends_in_the_same_bytes(table: Path, tmp_path: Path, ending: str) -> None:
    whole, out = tmp_path / f"whole{ending}", tmp_path / f"out{ending}"
    predict_into(whole, small(table), model())
    for after in range(-(-ROWS // 8)):
        out.unlink(missing_ok=True)
        with pytest.raises(Stopped):
            predict_into(out, small(table), model(Stopping(after)))
        assert not out.exists()
        said: list[str] = []
        again = Stopping(99)
        done = predict_into(out, small(table), model(again), said.append)
        assert out.read_bytes() == whole.read_bytes()
        assert done.kept == 8 * after and 99 - again.left == 9 - after, "what was answered is not asked again"
        assert said == (
            [f"goes on from row {8 * after + 1} of {ROWS}: {8 * after} rows were predicted before"] if after else []
        )


def test_a_kill_between_the_last_row_and_the_rename_loses_nothing(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, deliver = tmp_path / "out.csv", Finished.deliver

    def stop(self: Finished, whole: Path, output: Path) -> None:
        raise Stopped

    monkeypatch.setattr(Finished, "deliver", stop)
    with pytest.raises(Stopped):
        predict_into(out, small(table), model())
    assert not out.exists()
    monkeypatch.setattr(Finished, "deliver", deliver)
    said: list[str] = []
    predict_into(out, small(table), model(Stopping(0)), said.append)
    assert said == [f"only the file is to be written: {ROWS} rows were predicted before"]
    assert len(read(out)) == ROWS


def stop_midway(table: Path, out: Path) -> list[Path]:
    with pytest.raises(Stopped):
        predict_into(out, small(table), model(Stopping(5)))
    return sorted(Path(f"{out}.partial").glob("part-*"))


@pytest.mark.parametrize("fault", ["flipped", "cut", "empty", "of other rows", "gone"])
def test_a_damaged_part_is_made_again(table: Path, tmp_path: Path, fault: str) -> None:
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    predict_into(whole, small(table), model())
    part = stop_midway(table, out)[2]
    data = bytearray(part.read_bytes())
    if fault == "flipped":
        data[len(data) // 2] ^= 1
    part.write_bytes({"cut": bytes(data[:-9]), "empty": b""}.get(fault, bytes(data)))
    if fault == "of other rows":  # its checksum is right, its length is not
        shorter = pq.read_table(part).slice(1)
        pq.write_table(shorter, part)
        part.rename(part.with_name(f"part-00000002-{digest_file(part)[:16]}.parquet"))
    if fault == "gone":
        part.unlink()
    said: list[str] = []
    asked = Stopping(99)
    predict_into(out, small(table), model(asked), said.append)
    assert out.read_bytes() == whole.read_bytes()
    assert 99 - asked.left == 5, "the damaged part and the four that were missing"
    told = [] if fault == "gone" else ["rows 17 to 24 are made again: their part is damaged"]
    assert said == [*told, f"goes on from row 17 of {ROWS}: 32 rows were predicted before"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": "2"}, "another version of the model"),
        ({"digest": "e"}, "another model"),
        ("input", "the input has changed"),
        ("column", "another column"),
        ("batch", "another batch size"),
        ({"libraries": {}}, "other versions of the libraries"),
        ("identity", ""),
    ],
)
def test_what_is_of_another_prediction_is_not_gone_on_from(table: Path, tmp_path: Path, change: Any, why: str) -> None:
    out = tmp_path / "out.csv"
    stop_midway(table, out)
    questions = (
        small(table, batch=4) if change == "batch" else small(table, "label") if change == "column" else small(table)
    )
    if change == "input":
        table.write_text(table.read_text(encoding="utf-8").replace("é", "e"), encoding="utf-8")
        questions = small(table)
    if change == "identity":
        (tmp_path / "out.csv.partial" / "identity.json").write_text("{half", encoding="utf-8")
    said: list[str] = []
    done = predict_into(out, questions, model(**(change if isinstance(change, dict) else {})), said.append)
    assert done.kept == 0 and len(said) == 1 and "starts again" in said[0] and why in said[0], said
    predict_into(tmp_path / "fresh.csv", questions, model())
    assert out.read_bytes() == (tmp_path / "fresh.csv").read_bytes()


def test_two_at_once_and_foreign_folders_are_refused(table: Path, tmp_path: Path) -> None:
    out, place = tmp_path / "out.csv", tmp_path / "out.csv.partial"
    with Finished(place, {}, pa.schema([]), 1, 1), pytest.raises(DataError, match="another process is writing"):
        predict_into(out, small(table), model())
    (place / "thesis.doc").write_text("years", encoding="utf-8")
    with pytest.raises(DataError, match=r"thesis\.doc is not of a prediction"):
        predict_into(out, small(table), model())
    assert (place / "thesis.doc").read_text(encoding="utf-8") == "years"


def test_values_are_written_as_the_input_has_them(tmp_path: Path) -> None:
    """Whole numbers beside missing ones, beyond a float's digits, stay whole; so do times, lists and bytes."""
    big = 2**53 + 1
    rows = pa.table(
        {
            "text": ["a", "bb"],
            "id": pa.array([big, None]),
            "when": pd.to_datetime(["2026-01-01", None]),
            "tags": pa.array([["x"], []]),
            "raw": pa.array([b"\0", None]),
        }
    )
    pq.write_table(rows, tmp_path / "rows.parquet")
    lines = [{"text": "a", "id": big, "mixed": 1}, {"text": "bb", "id": None, "mixed": {"z": [True]}}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    predict_into(tmp_path / "out.parquet", small(tmp_path / "rows.parquet"), model())
    assert pq.read_table(tmp_path / "out.parquet").select(rows.column_names).cast(rows.schema).equals(rows)
    predict_into(tmp_path / "a.csv", small(tmp_path / "rows.parquet"), model())
    assert f"a,{big},2026-01-01" in (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[1]
    predict_into(tmp_path / "b.jsonl", small(tmp_path / "rows.jsonl"), model())
    told = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [{name: one[name] for name in lines[0]} for one in told] == lines
    predict_into(tmp_path / "c.jsonl", small(tmp_path / "rows.parquet"), model())
    first, second = (json.loads(line) for line in (tmp_path / "c.jsonl").read_text(encoding="utf-8").splitlines())
    assert (first["id"], first["when"], first["tags"], first["raw"]) == (big, "2026-01-01T00:00:00", ["x"], "AA==")
    assert (second["id"], second["when"], second["tags"], second["raw"]) == (None, None, [], None)
    with pytest.raises(DataError, match=r"column 'mixed' cannot be written as Parquet .*; write \.jsonl or \.csv"):
        predict_into(tmp_path / "d.parquet", small(tmp_path / "rows.jsonl"), model())


def test_what_cannot_be_asked_is_refused_by_row(tmp_path: Path) -> None:
    gaps = tmp_path / "gaps.csv"
    gaps.write_text("text,n\na,1\n,2\nc,3\n" + ",4\n" * 7, encoding="utf-8")
    with pytest.raises(DataError, match=r"8 of 10 rows have no text \(row 2, 4, 5, 6, 7, …\)"):
        open_table(gaps, "text")
    (tmp_path / "none.csv").write_text("text\n", encoding="utf-8")
    with pytest.raises(DataError, match="no rows"):
        open_table(tmp_path / "none.csv", "text")
    (tmp_path / "twice.csv").write_text("text,a,a\nx,1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="two columns are called 'a'"):
        open_table(tmp_path / "twice.csv", "text")
    unlucky = tmp_path / "unlucky.csv"
    pd.DataFrame({"text": ["x" * (1 + number) for number in range(20)]}).to_csv(unlucky, index=False)
    with pytest.raises(DataError, match=r"unlucky.csv: row 13: 13 brings bad luck"):
        predict_into(tmp_path / "out.csv", small(unlucky), model())


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("rows.csv", "this is the input"),
        ("out.xlsx", "ends in .csv, .jsonl or .parquet"),
        ("out", "ends in .csv"),
        ("absent/out.csv", "there is no folder"),
        (".", "a folder"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_the_model_is_asked(
    table: Path, tmp_path: Path, output: str, says: str
) -> None:
    before = table.read_bytes()
    with pytest.raises((RecipeError, DataError), match=says):
        predict_into(tmp_path / output, small(table), model(Stopping(0)))
    assert table.read_bytes() == before


def test_a_model_that_answers_otherwise_than_it_says_is_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="gave 7 predictions"):
        predict_into(tmp_path / "out.csv", small(table), model(lambda given: lengths(given)[:-1]))
    with pytest.raises(StageError, match="does not say what it predicts"):
        predict_into(tmp_path / "out.csv", small(table), Model(lengths, {"x": "tensor"}, IDENTITY))


def test_numbers_are_told_by_mean_least_and_most() -> None:
    tally = Tally()
    for values in ([1.0, 2.0], [None, 9.0], [None]):
        tally.add(pa.table({"value": pa.array(values, pa.float64())}))
    assert tally.summary() == {"value": {"mean": 4.0, "min": 1.0, "max": 9.0}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images in folders, among them broken ones, and files that are none."""
    place = tmp_path / "pictures"
    (place / "b" / ".thumbs").mkdir(parents=True)
    for number, name in enumerate(("z.png", "b/a.png", "b/c.PNG", "ohne")):
        (place / name).write_bytes(picture(number))
    (place / "b" / "cut.png").write_bytes(picture(9)[:60])
    (place / "b" / "text.jpg").write_bytes(b"I am no image")
    (place / "empty.png").touch()
    for name in ("LICENSE", "b/labels.csv", ".hidden.png", "b/.thumbs/x.png"):
        (place / name).write_bytes(b"x")
    return place


FILES = ["b/a.png", "b/c.PNG", "b/cut.png", "b/text.jpg", "empty.png", "ohne", "z.png"]
ERRORS = ["", "", "truncated", "not an image", "empty", "", ""]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which three small models are registered."""
    place = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPER_HOME", str(place))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        register_texts("small")
        register_masked("gaps")
        register_images("digits")
    return place


@pytest.fixture
def home_of_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEMPER_HOME", str(models))
    return models


def say(name: str, what: Path | str, output: Path | None = None, code: int = 0, as_flow: bool = False) -> None:
    if code:
        with pytest.raises(typer.Exit) as ended:
            predict.command(name, str(what), "text", output, as_flow)
        assert ended.value.exit_code == code
    else:
        predict.command(name, str(what), "text", output, as_flow)


@pytest.mark.faults
def test_a_folder_of_images_has_a_row_for_each_and_a_reason_for_the_broken(
    home_of_models: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    say("digits", folder, out)
    assert "4 predictions in" in (told := capsys.readouterr().err)
    assert "3 files could not be read, as the column `error` says; 4 files were left out" in told
    found = pd.read_csv(out)
    assert found["file"].tolist() == FILES
    assert [ERRORS[n] in str(error) for n, error in enumerate(found["error"])] == [True] * 7
    assert (found["error"].isna() == found["label"].notna()).all()
    say("digits", folder)
    assert capsys.readouterr().out == out.read_text(encoding="utf-8")

    listed = open_folder(folder)
    whole = Images(folder, listed.rows, listed.paths, 0, batch=2)
    named, digits = open_model("digits", "image")
    predict_into(tmp_path / "whole.parquet", whole, digits)
    again = pd.read_parquet(tmp_path / "whole.parquet")
    assert again["error"].isna().tolist() == found["error"].isna().tolist()
    with pytest.raises(typer.Exit):
        predict.command("digits", str(folder / "b" / "text.jpg"), "text", None, False)
    assert "b/text.jpg: not a readable image" in (told := capsys.readouterr().err) and "row 0" not in told
    assert np.allclose(again["probability"], found["probability"], atol=1e-6, equal_nan=True)
    (folder / "z.png").write_bytes(picture(5))
    assert Images(folder, whole.rows, whole.paths, 0, 2).identity() != {**whole.identity(), "input": named.digest}


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match="no image files in it"):
        open_folder(tmp_path)


@pytest.mark.faults
def test_each_misuse_is_one_line(
    home_of_models: Path, folder: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, what, output, as_flow, code, says in (
        (
            "nobody",
            "A text.",
            None,
            False,
            1,
            "models:/nobody@champion cannot be loaded from .*; there is digits, gaps, small",
        ),
        ("small/7", "A text.", None, False, 1, "small/7 cannot be loaded .*; there is small/1 and @champion"),
        (
            "small@best",
            "A text.",
            None,
            False,
            1,
            "small@best cannot be loaded .*; there is small/1 and @champion",
        ),
        ("small", folder, None, False, 1, "takes texts; give it a text"),
        ("digits", table, None, False, 1, "takes images; give it an image file"),
        ("small", "A text.", tmp_path / "x.csv", False, 2, "-o goes with a file or a folder"),
        ("small", "A text.", None, True, 2, "--flow goes with a file or a folder"),
        ("small", table, None, True, 2, "--flow needs -o"),
        ("small", table, tmp_path / "x.xlsx", False, 2, "ends in .csv, .jsonl or .parquet"),
        ("gaps", table, tmp_path / "x.csv", False, 1, r"rows.csv: row 1: .* has no \[MASK\]"),
    ):
        say(name, what, output, code, as_flow)
        told = capsys.readouterr().err
        assert re.search(says, told.replace("\n", " ")), told
        assert "Traceback" not in told


KILLED = 12_000


@pytest.mark.faults
def test_a_killed_prediction_goes_on_and_ends_in_the_same_bytes(
    home_of_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9 of the command itself while parts appear; then the same call again, and one that nobody disturbed."""
    rows, out = tmp_path / "many.csv", tmp_path / "out.csv"
    pd.DataFrame({"text": [f"good {n % 200} never {n % 7}" for n in range(KILLED)]}).to_csv(rows, index=False)
    command = [sys.executable, "-m", "flows", "predict", "small", str(rows), "-o", str(out)]
    process = subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL, start_new_session=True)
    partial = Path(f"{out}.partial")
    try:
        end = time.monotonic() + 200
        while len(list(partial.glob("part-*.parquet"))) < 3:
            assert process.poll() is None and time.monotonic() < end, "it ended before it could be killed"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = len(list(partial.glob("part-*.parquet")))
    assert 3 <= kept < KILLED // 512 and not out.exists()
    say("small", rows, out)
    assert f"goes on from row {512 * kept + 1:,} of {KILLED:,}" in capsys.readouterr().err
    say("small", rows, tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not partial.exists()
    assert len(pd.read_csv(out)) == KILLED


@pytest.mark.faults
def test_as_a_flow_it_is_recorded_with_a_page_and_its_progress(
    harness: None, home_of_models: Path, folder: Path, table: Path, tmp_path: Path
) -> None:
    from prefect.client.orchestration import get_client

    from flows.predict import predict as flow

    done = flow("digits", str(folder), str(tmp_path / "out.parquet"))
    assert (done["rows"], done["failed"], done["version"]) == (7, 3, "1")
    assert sum(done["summary"].values()) == 4
    assert flow("small", str(table), str(tmp_path / "texts.jsonl"), "label")["rows"] == ROWS
    assert flow.retries == 0 and {"model", "file", "output", "column", "reading", "pair"} == set(
        flow.parameters.properties
    )
    deployed = flow.to_deployment(
        "nightly", cron="0 3 * * *", parameters={"model": "small", "file": "a", "output": "b"}
    )
    assert deployed.entrypoint and deployed.entrypoint.endswith("flows/predict.py:predict")
    with get_client(sync_client=True) as api:
        artifacts = {one.key: one for one in api.read_artifacts(limit=50) if one.key}
        runs = [run for run in api.read_flow_runs() if run.name in ("digits", "small")]
    assert {run.state_name for run in runs} == {"Completed"}
    page = str(artifacts["predictions"].data)
    assert "# Predictions of" in page and "| label | rows | share |" in page and "| rows |" in page
    assert float(str(artifacts["prediction-progress"].data)) == 100.0
