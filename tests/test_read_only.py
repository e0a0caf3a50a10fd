"""Commands that only look work on a home that cannot be written; odd things in the store are damage, and no hang."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tiny import ROOT, TINY, recipe

from configs.settings import settings
from flows.cli import data, history, plan, trace
from flows.cli.failures import failures
from flows.stage_graph import perform_until
from tasks.learn.checkpoints import newest_intact
from tasks.store.lock import locked
from tasks.tracking import runs

DEMO = ROOT / "configs" / "reviews_demo.yaml"


@pytest.fixture
def sealed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home in which the demo is encoded, seen through a mount that is read-only."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("a read-only mount needs root")
    perform_until(recipe(), "encode")
    runs.client().create_registered_model("small")
    place = tmp_path / "sealed"
    place.mkdir()
    made = [
        subprocess.run([mount, *how, str(place)], capture_output=True).returncode
        for how in (("--bind", str(home)), ("-o", "remount,ro,bind"))
    ]
    if any(made):
        subprocess.run(["umount", "-l", str(place)], capture_output=True)
        pytest.skip("this machine binds no mounts")
    monkeypatch.setenv("TEMPER_HOME", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.faults
def test_looking_needs_no_writing(sealed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan.command(DEMO, TINY)
    assert capsys.readouterr().out.count("cached") == 5
    data.command(DEMO, TINY)
    assert "raw rows =" in capsys.readouterr().out
    trace.command(DEMO, "1", TINY)
    history.command("small")
    assert "row 1" in capsys.readouterr().out
    with pytest.raises(typer.Exit):
        data.command(DEMO, [*TINY, "clean.steps=[]"])
    assert "Read-only file system" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), failures():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/somewhere/.artifacts")
    told = capsys.readouterr().err
    assert "/somewhere/.artifacts: Read-only file system; " in told and "set it to a folder" in told
    with pytest.raises(typer.Exit), failures():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "rows.csv")
    assert "TEMPER_HOME" not in capsys.readouterr().err


def test_pipes_and_files_in_the_place_of_others_are_damage_or_named(home: Path, tmp_path: Path) -> None:
    artifact = perform_until(recipe(), "download")["download"].result
    manifest = artifact.path / "manifest.json"
    for replace in (os.mkfifo, lambda path: path.write_text("[" * 100_000), Path.mkdir):
        manifest.unlink()
        replace(manifest)
        lines, _, _ = plan.plan(recipe(), ask=False)
        assert lines[0]["status"] == "run" and "manifest unreadable" in lines[0]["changed"][0]
        assert perform_until(recipe(), "download")["download"].status == "run"
    pins = settings().store / "pins.json"
    pins.unlink()
    os.mkfifo(pins)
    assert perform_until(recipe(), "download")["download"].status == "cached" and pins.is_file()
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(OSError, match="not a plain file"), locked(tmp_path / "lock"):
        pass


def test_data_nested_too_deeply_end_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), failures():
        raise RecursionError("maximum recursion depth exceeded")
    assert "nested more deeply than can be read" in capsys.readouterr().err


def test_a_file_in_the_place_of_a_checkpoint_is_passed_over_and_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-5").write_text("x")
    os.mkfifo(tmp_path / "checkpoint-7")
    (tmp_path / "checkpoint-9").mkdir()
    os.mkfifo(tmp_path / "checkpoint-9" / "certificate.json")
    said: list[str] = []
    assert newest_intact(tmp_path, "", said.append) is None
    assert len(said) == 3 and not list(tmp_path.glob("checkpoint-*"))
