"""temper pin: commits for branches, in the file itself, and not one other character changed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_server import Hub

from configs.load import RecipeError
from flows.hub_revisions import Reference, pinned, rewrite

RECIPE = """\
# Café: what this trains.
name: a

download:  # rows
  kind: hub
  repo: owner/rows   # the rows
  columns: {text: text}

encode:
  kind: classifier
  tokenizer: {kind: hub, repo: owner/bert}
train:
  model:
    revision: "v1"  # the release
    kind: hub
    repo: owner/bert
register: {model: a}
"""
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.stop()


@pytest.fixture
def hub(server: Hub) -> Hub:
    server.forget()
    server.repos.clear()
    return server


def pin(hub: Hub, recipe: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "NO_PROXY": "*", "HF_HOME": str(recipe.parent / "hf")}
    command = [str(Path(sys.executable).with_name("temper")), "pin", str(recipe)]
    done = subprocess.run(
        command, env={**os.environ, **own, **environment}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done


def test_every_branch_and_tag_becomes_its_commit_and_the_rest_stays(hub: Hub, tmp_path: Path) -> None:
    rows = hub.add("dataset", "owner/rows", {})
    old = hub.add("model", "owner/bert", {}, "v1")
    new = hub.add("model", "owner/bert", {})
    recipe = tmp_path / "a.yaml"
    recipe.write_text(RECIPE)
    recipe.chmod(0o640)
    done = pin(hub, recipe)
    assert done.returncode == 0, done.stderr
    assert recipe.read_text() == (
        RECIPE.replace("# the rows\n", f"# the rows\n  revision: {rows}  # main\n")
        .replace("repo: owner/bert}", f"repo: owner/bert, revision: {new}}}")
        .replace('"v1"', old)
    )
    assert recipe.stat().st_mode & 0o777 == 0o640
    assert done.stdout.splitlines() == [
        f"  download: dataset owner/rows  main → {rows}",
        f"  encode.tokenizer: model owner/bert  main → {new}",
        f"  train.model: model owner/bert  v1 → {old}",
        f"3 pinned in {recipe}",
    ]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.yaml"]


def test_what_is_pinned_is_neither_asked_for_nor_touched(hub: Hub, tmp_path: Path) -> None:
    recipe = tmp_path / "a.yaml"
    text = RECIPE.replace("# the rows", f"# the rows\n  revision: {SHA}").replace('"v1"', SHA)
    text = text.replace("owner/bert}", f"owner/bert, revision: {SHA}}}")
    recipe.write_text(text)
    before = recipe.stat()
    done = pin(hub, recipe, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"nothing to pin in {recipe}\n")
    assert done.stdout.count(f"{SHA}, as before") == 3
    assert recipe.read_text() == text
    assert (recipe.stat().st_ino, recipe.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert hub.seen() == []


def test_one_repository_named_twice_is_asked_once(hub: Hub, tmp_path: Path) -> None:
    hub.add("dataset", "owner/rows", {})
    hub.add("model", "owner/bert", {})
    recipe = tmp_path / "a.yaml"
    recipe.write_text(RECIPE.replace('"v1"', "main"))
    assert pin(hub, recipe).returncode == 0
    assert len(hub.seen("models/owner/bert")) == 1


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("the last one is unknown", "model owner/bert@v1: the Hub has no such revision"),
        ("the Hub names no commit", "dataset owner/rows@main: the Hub names no commit"),
        ("offline", "owner/rows@main: HF_HUB_OFFLINE forbids asking which commit that is"),
    ],
)
def test_nothing_is_written_unless_every_commit_was_seen(hub: Hub, tmp_path: Path, plan: str, message: str) -> None:
    rows = hub.add("dataset", "owner/rows", {})
    hub.add("model", "owner/bert", {})
    if plan == "the Hub names no commit":
        hub.fault("datasets", body=lambda body: body.replace(rows.encode(), b"no-commit"))
    recipe = tmp_path / "a.yaml"
    recipe.write_text(RECIPE)
    done = pin(hub, recipe, HF_HUB_OFFLINE="1" if plan == "offline" else "0")
    assert done.returncode == 1
    assert message in done.stderr
    assert recipe.read_text() == RECIPE
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.yaml"]


def test_a_wrong_recipe_is_not_touched(hub: Hub, tmp_path: Path) -> None:
    recipe = tmp_path / "a.yaml"
    recipe.write_text(RECIPE + "epochs: 3\n")
    done = pin(hub, recipe)
    assert done.returncode == 2
    assert f"{recipe}:18: `epochs` is not a key" in done.stderr
    assert hub.seen() == []


def test_a_link_is_followed_and_stays_a_link(hub: Hub, tmp_path: Path) -> None:
    rows = hub.add("dataset", "owner/rows", {})
    hub.add("model", "owner/bert", {}, "v1")
    hub.add("model", "owner/bert", {})
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.yaml").write_text(RECIPE)
    (tmp_path / "a.yaml").symlink_to(tmp_path / "real" / "a.yaml")
    assert pin(hub, tmp_path / "a.yaml").returncode == 0
    assert (tmp_path / "a.yaml").is_symlink()
    assert rows in (tmp_path / "real" / "a.yaml").read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:\n  repo: x/y\n", f"a:\n  repo: x/y\n  revision: {SHA}  # main\n"),
        ("a:\n  repo: x/y", f"a:\n  repo: x/y\n  revision: {SHA}  # main"),
        (
            "a:\r\n    repo: x/y  # é\r\nb: 1\r\n",
            f"a:\r\n    repo: x/y  # é\r\n    revision: {SHA}  # main\r\nb: 1\r\n",
        ),
        ("\ufeffa:\n  repo: x/y\n", f"\ufeffa:\n  repo: x/y\n  revision: {SHA}  # main\n"),
        ("é: 😀\na: {repo: 'x/y'}\n", f"é: 😀\na: {{repo: 'x/y', revision: {SHA}}}\n"),
        ('{"a": {"repo": "x/y"}}', f'{{"a": {{"repo": "x/y", revision: {SHA}}}}}'),
        ("a: {repo: x/y, revision: main}\n", f"a: {{repo: x/y, revision: {SHA}}}\n"),
        ("a:\n  revision: 'main'   # why\n  repo: x/y\n", f"a:\n  revision: {SHA}   # why\n  repo: x/y\n"),
        ("a:\n  repo: x/y\n  revision: main \n", f"a:\n  repo: x/y\n  revision: {SHA}  # main \n"),
        (
            "a:\n  repo: x/y\n\n  # about b\n  b: 1\n",
            f"a:\n  repo: x/y\n  revision: {SHA}  # main\n\n  # about b\n  b: 1\n",
        ),
    ],
)
def test_the_text_around_a_commit_stays(before: str, after: str) -> None:
    found = pinned(before, {Reference(("a",), "model", "x/y", "main"): SHA})
    assert found == after
    assert yaml.safe_load(found.removeprefix("\ufeff"))["a"]["revision"] == SHA


def test_a_file_that_cannot_be_edited_safely_is_left_alone(tmp_path: Path) -> None:
    """The end of a block scalar lies in the next section, so that the line would be put there."""
    recipe = tmp_path / "a.yaml"
    text = RECIPE.replace("repo: owner/rows   # the rows\n  columns: {text: text}\n\n", "repo: |-\n    owner/rows\n")
    recipe.write_text(text)
    with pytest.raises(RecipeError, match=f"cannot be edited .* write into it download.revision: {SHA}"):
        rewrite(recipe, {Reference(("download",), "dataset", "owner/rows", "main"): SHA})
    assert recipe.read_text() == text
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.yaml"]


def test_a_file_that_was_changed_while_the_hub_was_asked_gets_no_foreign_commit(tmp_path: Path) -> None:
    recipe = tmp_path / "a.yaml"
    recipe.write_text(RECIPE)
    with pytest.raises(RecipeError, match="was changed meanwhile"):
        rewrite(recipe, {Reference(("download",), "dataset", "owner/other", "main"): SHA})
    assert recipe.read_text() == RECIPE


@pytest.mark.parametrize("commit", ["1" * 40, "12e" + "3" * 37])
def test_a_commit_that_looks_like_a_number_is_quoted(commit: str) -> None:
    assert f'revision: "{commit}"' in pinned("a:\n  repo: x/y\n", {Reference(("a",), "model", "x/y", "main"): commit})
