"""Names that users give never meet the program's own files; those that some system refuses stop a recipe at once."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import ROOT, recipe

from configs.load import RecipeError
from configs.names import LONGEST, require_portable
from configs.servers import claimed
from configs.settings import settings
from flows.starter_recipe import slug
from tasks.tracking import decisions, registry, runs
from tasks.tracking.write_locks import turn_path

REFUSED = ["..", ".", ".hidden", "a.", "-x", "con", "NUL", "aux.v1", "com1", "lpt9.x", "x" * 101, "a b", "a/b", "ä"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_a_system_refuses_stops_the_recipe_when_it_is_read(name: str) -> None:
    for key in ("register.model", "name"):
        with pytest.raises(RecipeError, match=f"`{key}`"):
            recipe(f"{key}={name}")
    with pytest.raises(RecipeError, match=r"train\.model\.name"):
        recipe(f"train.model={{kind: registered, name: {name}}}")


@pytest.mark.parametrize("name", ["up", "mlflow", "locks", "retrain", "champion.v2", "a_b-c", "x" * LONGEST, "console"])
def test_names_of_the_programs_own_files_are_names_like_others(name: str) -> None:
    assert recipe(f"register.model={name}").register.model == name


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_every_name_has_a_lock_of_its_own_below_its_own_folder(name: str) -> None:
    path, own = turn_path("deciding", name), settings().mlruns / "locks" / "deciding"
    assert path.parent == own and path.resolve().parent == own.resolve() and len(path.name) < 64
    assert turn_path("deciding", name + "x") != path and turn_path("registering", name) != path


@given(st.from_regex(r"[A-Za-z0-9_.-]{1,120}", fullmatch=True))
def test_a_portable_name_is_a_plain_file_everywhere(name: str) -> None:
    try:
        require_portable(name)
    except ValueError:
        return
    assert Path(name).name == name and len(f"{name}.parquet.partial".encode()) < 255
    assert not name.startswith((".", "-")) and not name.endswith(".")


def test_a_decision_about_a_model_called_up_waits_for_no_server(home: Path) -> None:
    """`temper up` holds its own lock for as long as it runs."""
    done: list[str] = []

    def decide(name: str) -> None:
        with registry.deciding(name):
            done.append(name)

    with claimed(settings().mlruns):
        threads = [threading.Thread(target=decide, args=(name,), daemon=True) for name in ("up", "mlflow", "locks")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert sorted(done) == ["locks", "mlflow", "up"]


@pytest.mark.parametrize("file", ["con", "nul", "x" * 300, "Prices (2024)", "…"])
def test_init_writes_a_name_that_its_recipe_takes(file: str) -> None:
    assert recipe(f"name={slug(file)}").name == slug(file)


def test_decisions_of_a_model_are_not_read_as_those_of_another(home: Path) -> None:
    """One training under the names `a` and `a-1`: version 1 of the first, version 3 of the second."""
    client = runs.client()
    run_id = client.create_run(runs.experiment(client, "small")).info.run_id
    for name, version, fixed in (("a", "1", 5), ("a-1", "3", 7)):
        about = type("About", (), {"name": name, "version": version, "run_id": run_id})()
        made = decisions.Entry("register", version, before=None, after=version, decided="promoted", why="better")
        decisions.keep(client, about, made, {"evidence": {"changed": {"fixed": fixed}}})
        assert decisions.changed(client, about) == {"fixed": fixed}
    about = type("About", (), {"name": "a", "version": "1", "run_id": run_id})()
    assert decisions.changed(client, about) == {"fixed": 5}


@pytest.mark.faults
def test_a_champion_whose_files_were_deleted_is_named_with_the_fix(home: Path) -> None:
    import shutil

    from registered import register_texts

    from tasks.artifact import StageError
    from tasks.tracking.models import load_model, model_folder
    from tasks.tracking.wire_format import MODEL_DIGEST

    register_texts("gone")
    runs.client().set_model_version_tag("gone", "1", MODEL_DIGEST, "../../elsewhere")  # a registry that others write to
    registered = settings().store / "registered"
    assert model_folder("gone", "1").resolve().is_relative_to(registered.resolve())
    shutil.rmtree(settings().mlruns / "artifacts")
    with pytest.raises(StageError, match="If its files were deleted, restore them, or `temper run` its recipe"):
        load_model("gone", "text")


def test_two_recipes_of_one_name_are_said_to_share_it_while_both_have_it(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.services.recipe_names import say_shared_name

    text = (ROOT / "configs" / "digits_demo.yaml").read_text(encoding="utf-8")
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    for path in (one, two):
        path.write_text(text, encoding="utf-8")

    def said(path: Path, name: str = "digits_demo") -> str:
        say_shared_name(path, name)
        return capsys.readouterr().err

    assert said(one) == said(one) == "" and said(two, "other") == ""
    for _ in range(2):
        told = said(two)
        assert told.count("\n") == 1 and f"{one} has the name digits_demo too" in told and f"give {two} another" in told
    one.write_text(text.replace("name: digits_demo", "name: renamed"), encoding="utf-8")
    assert said(two) == ""
    one.write_text(text, encoding="utf-8")
    assert f"{two} has the name" in said(one)
    two.unlink()
    assert said(one) == "" and said(one) == ""


@pytest.mark.parametrize("odd", [b"\xff\xfe/a.yaml", b"", b"a.yaml", b"/a\0b", b"/" + b"x" * 5000, None, "pipe"])
def test_a_note_of_a_recipe_that_is_none_is_written_anew(
    odd: bytes | str | None, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.collect import recipes
    from flows.services.recipe_names import say_shared_name

    place = tmp_path / os.fsdecode(b"folder \xe9")  # no UTF-8
    place.mkdir()
    text = (ROOT / "configs" / "digits_demo.yaml").read_text(encoding="utf-8")
    paths = (tmp_path / "plain.yaml", place / "odd.yaml")
    for path in paths:
        path.write_text(text, encoding="utf-8")
    note = settings().mlruns / "recipes" / "digits_demo.path"
    note.parent.mkdir(parents=True)
    if odd is None:
        note.mkdir()
    elif odd == "pipe":
        os.mkfifo(note)
    else:
        note.write_bytes(bytes(odd))  # type: ignore[arg-type]
    assert recipes() == []
    say_shared_name(paths[0], "digits_demo")
    assert [path for path, _ in recipes()] == [paths[0]]
    paths[0].unlink()
    say_shared_name(paths[1], "digits_demo")
    assert capsys.readouterr().err == ""
