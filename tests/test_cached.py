"""A stage without Prefect: what is served, what is rebuilt, what a failing body leaves, and rows that are conserved."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from configs.settings import settings
from tasks.artifact import MANIFEST, Artifact
from tasks.cached import Stage, cached_task
from tasks.data.ledger import advance, open_ledger, read_ledger
from tasks.output import Output, new_output
from tasks.store import disk
from tasks.store.events import listeners
from tasks.store.verification import verifying

CODE = "tasks.data.rows"
"""The module whose code stands for these stages' own: keys are made of the code of this project."""


@dataclass(frozen=True)
class Drawn:
    """A section."""

    count: int = 3
    word: str = "row"


def stage_of(body: Callable[..., None], **options: Any) -> Stage[Any]:
    """A stage whose body is written in a test."""
    body.__module__ = CODE
    return cached_task(**options)(body)


def draw(out: Output, section: Drawn) -> None:
    RAN.append("draw")
    (out.data / "words.txt").write_text(f"{section.word}\n" * section.count)
    (out.data / "secret.txt").write_text("test rows")
    out.summary(f"# {section.count} words")
    out.counts = {"out": section.count}


def count(out: Output, section: Drawn, drawn: Artifact) -> None:
    RAN.append("count")
    lines = drawn.file("words.txt").read_text().splitlines()
    (out.data / "count.json").write_text(json.dumps(len(lines) * section.count))


def peek(out: Output, section: Drawn, drawn: Artifact) -> None:
    (out.data / "stolen.txt").write_text(drawn.file("secret.txt").read_text())


def fail(out: Output, section: Drawn) -> None:
    (out.data / "half.txt").write_text("half")
    out.summary("# half")
    RAN.append("resumed" if (out.scratch / "checkpoint").exists() else "fail")
    if section.count > 1:
        (out.scratch / "checkpoint").write_text("5")
    if section.word in BROKEN:
        raise RuntimeError("the data centre is on fire")


RAN: list[str] = []
BROKEN: set[str] = set()
DRAW = stage_of(draw)
COUNT = stage_of(count, opens={"drawn": ("words.txt",)})
PEEK = stage_of(peek, opens={"drawn": ("words.txt",)})
FAIL = stage_of(fail)


@pytest.fixture(autouse=True)
def notes() -> Iterator[list[str]]:
    """What the stages report."""
    texts: list[str] = []
    RAN.clear()
    BROKEN.clear()
    with listeners(lambda event: texts.append(event.text)):
        yield texts


def draw_and_count(section: Drawn | None = None, factor: Drawn | None = None) -> tuple[list[str], Artifact]:
    """Both stages: their statuses, and the second one's artifact."""
    first = DRAW.run_or_load(section or Drawn(), {})
    second = COUNT.run_or_load(factor or Drawn(), {"drawn": first.result})
    return [first.status, second.status], second.result


def test_the_second_run_is_served_and_computes_nothing(notes: list[str]) -> None:
    statuses, first = draw_and_count()
    assert statuses == ["run", "run"] and RAN == ["draw", "count"]
    statuses, second = draw_and_count()
    assert statuses == ["cached", "cached"] and RAN == ["draw", "count"]
    assert first == second and json.loads(second.file("count.json").read_text()) == 9
    assert notes == []


def test_the_manifest_tells_what_made_it() -> None:
    _, counted = draw_and_count(Drawn(word="x"))
    manifest = counted.manifest()
    assert manifest["inputs"]["drawn"]["stage"] == "draw"
    assert manifest["section"] == {"count": 3, "word": "row"}
    assert manifest["identity"]["section"] == {}
    assert list(manifest["identity"]["inputs"]["drawn"]) == ["words.txt"]
    assert CODE in manifest["identity"]["code"] and "pandas" in manifest["identity"]["libraries"]
    drawn = Artifact(**manifest["inputs"]["drawn"])
    assert drawn.manifest()["rows"] == {"out": 3} and drawn.manifest()["identity"]["section"] == {"word": "x"}


def test_another_value_is_another_key_and_the_first_is_kept() -> None:
    draw_and_count()
    statuses, _ = draw_and_count(factor=Drawn(count=2))
    assert statuses == ["cached", "run"]
    statuses, _ = draw_and_count(Drawn(word="line"))
    assert statuses == ["run", "run"]
    assert draw_and_count()[0] == draw_and_count(factor=Drawn(count=2))[0] == ["cached", "cached"]


def test_an_upstream_change_that_gives_the_same_opened_bytes_stops_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stage runs anew under other code; its opened file is the same, so the second is served."""
    _, before = draw_and_count()
    monkeypatch.setattr(draw, "__module__", "tasks.data.sources.tables")
    statuses, after = draw_and_count()
    assert statuses == ["run", "cached"] and before == after


def flip(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


@pytest.mark.parametrize(
    ("name", "damage", "word"),
    [
        ("data/words.txt", flip, "words.txt has other bytes"),
        ("records/summary.md", flip, "summary.md has other bytes"),
        ("data/secret.txt", Path.unlink, "secret.txt is missing"),
        (MANIFEST, Path.unlink, "manifest unreadable"),
        (MANIFEST, flip, "manifest unreadable"),
    ],
)
def test_damage_is_said_set_aside_and_built_anew(
    notes: list[str], name: str, damage: Callable[[Path], object], word: str
) -> None:
    first = DRAW.run_or_load(Drawn(), {}).result
    damage(first.path / name)
    again = DRAW.run_or_load(Drawn(), {})
    assert again.status == "run" and again.result == first and RAN == ["draw", "draw"]
    assert len(notes) == 1 and word in notes[0] and f"quarantined as {first.key}.damaged" in notes[0]
    assert first.path.with_name(f"{first.key}.damaged").is_dir()
    assert first.file("words.txt").read_text() == "row\n" * 3
    assert DRAW.run_or_load(Drawn(), {}).status == "cached" and len(notes) == 1


def test_verify_reads_large_artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "REHASH_BELOW", 0)
    hashed: list[Path] = []
    digest_file = disk.digest_file
    DRAW.run_or_load(Drawn(), {})
    monkeypatch.setattr(disk, "digest_file", lambda path: hashed.append(path) or digest_file(path))
    assert DRAW.run_or_load(Drawn(), {}).status == "cached" and hashed == []
    with verifying():
        assert DRAW.run_or_load(Drawn(), {}).status == "cached" and len(hashed) == 3


def visible(stage: str) -> list[str]:
    return sorted(path.name for path in (settings().store / stage).iterdir() if path.suffix != ".lock")


def suffixes(stage: str) -> list[str]:
    return [Path(name).suffix for name in visible(stage)]


def test_a_body_that_raises_leaves_nothing_to_be_served(notes: list[str]) -> None:
    """Its records stay for a look under `.failed`, its checkpoints under `.partial`; success clears both away."""
    BROKEN.add("hot")
    section = Drawn(word="hot")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="on fire") as raised:
            FAIL.run_or_load(section, {})
        assert suffixes("fail") == [".failed", ".partial"]
    failed = next((settings().store / "fail").glob("*.failed"))
    assert (failed / "records" / "summary.md").read_text() == "# half\n" and not (failed / "data").exists()
    log = failed / "records" / "error.log"
    assert raised.value.__notes__ == [f"log: {log}"] and not notes
    assert "Traceback" in log.read_text() and "on fire" in log.read_text()
    BROKEN.clear()
    done = FAIL.run_or_load(section, {})
    assert done.status == "run" and visible("fail") == [done.result.key] and RAN == ["fail", "resumed", "resumed"]
    assert sorted(path.name for path in done.result.path.iterdir()) == ["data", MANIFEST, "records"]
    assert FAIL.run_or_load(section, {}).status == "cached"


def test_a_body_that_raises_without_checkpoints_leaves_no_partial() -> None:
    BROKEN.add("hot")
    with pytest.raises(RuntimeError, match="on fire"):
        FAIL.run_or_load(Drawn(count=1, word="hot"), {})
    assert suffixes("fail") == [".failed"]


def test_a_failing_body_does_not_cost_another_key() -> None:
    good = FAIL.run_or_load(Drawn(word="cold"), {})
    BROKEN.add("hot")
    with pytest.raises(RuntimeError, match="on fire"):
        FAIL.run_or_load(Drawn(word="hot"), {})
    assert FAIL.run_or_load(Drawn(word="cold"), {}).result == good.result
    assert FAIL.run_or_load(Drawn(word="cold"), {}).status == "cached"


def test_a_file_that_is_not_declared_cannot_be_opened() -> None:
    drawn = DRAW.run_or_load(Drawn(), {}).result
    with pytest.raises(PermissionError, match=r"draw/secret.txt is opened but not declared"):
        PEEK.run_or_load(Drawn(), {"drawn": drawn})
    assert [Path(name).suffix for name in visible("peek")] == [".failed"]
    assert drawn.file("secret.txt").read_text() == "test rows", "only the stage is limited"


def test_the_store_may_move(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, before = draw_and_count()
    monkeypatch.setattr(disk, "REHASH_BELOW", 0)
    moved = home.with_name("moved")
    home.rename(moved)
    monkeypatch.setenv("TEMPER_HOME", str(moved))
    statuses, after = draw_and_count()
    assert statuses == ["cached", "cached"] and before == after and after.path.is_relative_to(moved)
    assert not home.exists()


def test_process_settings_are_no_part_of_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    draw_and_count()
    monkeypatch.setenv("TEMPER_THREADS", "3")
    monkeypatch.setenv("TEMPER_DATA", str(tmp_path))
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    monkeypatch.chdir(tmp_path)
    assert draw_and_count()[0] == ["cached", "cached"]


def account(tmp_path: Path, before: list[str], after: list[str], dropped: dict[str, str]) -> Output:
    out = new_output(tmp_path / "out")
    gone = pd.DataFrame({"id": list(dropped), "reason": list(dropped.values())}, dtype="str")
    out.rows("stage", open_ledger(pd.Series(before, dtype="str")), pd.Series(after, dtype="str"), gone)
    return out


def test_conserved_rows_are_counted_and_the_dropped_ones_kept_with_their_reason(tmp_path: Path) -> None:
    out = account(tmp_path, ["a", "b", "c"], ["c", "a"], {"b": "duplicate"})
    assert out.counts == {"in": 3, "out": 2, "dropped": 1}
    ledger = read_ledger(out.data / "ledger.parquet")
    assert ledger["state"].tolist() == ["in", "dropped", "in"]
    assert ledger[ledger["state"] == "dropped"].to_dict("records") == [
        {"id": "b", "number": 2, "state": "dropped", "stage": "stage", "reason": "duplicate"}
    ]
    assert account(tmp_path, [], [], {}).counts == {"in": 0, "out": 0, "dropped": 0}


def test_a_dropped_row_is_not_asked_for_again_and_a_part_is_a_state() -> None:
    ledger = advance(open_ledger(pd.Series(["a", "b", "c"])), "clean", pd.Series(["c", "a"]), gone("b"))
    ledger = advance(ledger, "split", pd.Series(["c"]), gone("a"), parts=pd.Series(["test"]))
    assert ledger["state"].tolist() == ["dropped", "dropped", "test"]
    assert ledger["stage"].tolist() == ["split", "clean", "split"]
    with pytest.raises(ValueError, match="from nowhere"):
        advance(ledger, "encode", pd.Series(["c", "b"]), gone())


def gone(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"id": list(ids), "reason": ["why"] * len(ids)}, dtype="str")


@pytest.mark.parametrize(
    ("before", "after", "dropped", "word"),
    [
        (["a", "b"], ["a"], {}, r"lost \['b'\]"),
        (["a", "b"], ["a"], {"c": "new"}, r"lost \['b'\], from nowhere \['c'\]"),
        (["a"], ["a", "x"], {}, r"from nowhere \['x'\]"),
        (["a", "b"], ["a", "x"], {}, r"lost \['b'\], from nowhere \['x'\]"),
        (["a", "b"], ["a", "b", "b"], {}, "2 in, 3 out"),
        (["a", "b"], ["a", "a"], {}, r"lost \['b'\]"),
        (["a", "b"], ["a", "b"], {"b": "both"}, r"more than once \['b'\]"),
        (["a", "b", "c"], ["a", "b"], {"b": "both"}, r"lost \['c'\].*more than once \['b'\]"),
        (["a", "a"], ["a", "a"], {}, "2 in, 2 out"),
        (["a", "a", "b"], ["a", "b"], {"a": "twice"}, "3 in, 2 out, 1 dropped"),
        (["a"], [], {}, r"lost \['a'\]"),
        ([], ["a"], {}, r"from nowhere \['a'\]"),
    ],
)
def test_a_lost_invented_or_doubled_row_stops_the_stage(
    tmp_path: Path, before: list[str], after: list[str], dropped: dict[str, str], word: str
) -> None:
    with pytest.raises(ValueError, match=f"rows are not conserved: .*{word}"):
        account(tmp_path, before, after, dropped)
    assert not (tmp_path / "out" / "data" / "ledger.parquet").exists()


def test_rows_that_are_not_conserved_leave_nothing_visible() -> None:
    def lose(out: Output, section: Drawn) -> None:
        out.rows("lose", open_ledger(pd.Series(["a", "b"])), pd.Series(["a"]), gone())

    with pytest.raises(ValueError, match="not conserved"):
        stage_of(lose).run_or_load(Drawn(), {})
    assert [Path(name).suffix for name in visible("lose")] == [".failed"]
