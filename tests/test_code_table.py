"""What code stages reach is kept below the store by the digest of all sources: never stale, and never needed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.store import code, code_table
from tasks.store.code import closure
from tasks.store.code_table import TABLE, reached_code, sources_digest

STAGE = "tasks.split"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty store, in a process that has parsed nothing."""
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(tmp_path / "store"))
    forget()
    yield tmp_path / "store"
    forget()


def forget() -> None:
    """What a new process does not know."""
    for kept in (code_table._reached, code_table._table, code_table._first_sources, code._closure):
        kept.cache_clear()


def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages whose code is parsed from now on."""
    parsed: list[str] = []
    inner = code._closure
    monkeypatch.setattr(code_table, "reached", lambda names: parsed.extend(names) or inner(names))
    return parsed


def test_it_is_what_parsing_finds_and_a_second_process_parses_nothing(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reached_code(STAGE) == closure(STAGE)
    forget()
    parsed = parses(monkeypatch)
    assert reached_code(STAGE) == closure(STAGE) and parsed == []
    assert reached_code("tasks.clean") == closure("tasks.clean") and parsed == ["tasks.clean"]
    forget()
    assert reached_code(STAGE) == closure(STAGE) and parsed == ["tasks.clean"]


def test_another_source_or_a_damaged_table_is_parsed_anew(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached_code(STAGE)
    sources, parsed = sources_digest(), parses(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(code_table, "sources_digest", lambda: "f" * 64)
        forget()
        assert reached_code(STAGE) == closure(STAGE) and parsed == [STAGE]
    assert sources_digest() == sources

    table = json.loads((store / TABLE).read_text(encoding="utf-8"))
    first = next(iter(table["reached"][STAGE][0]))
    table["reached"][STAGE][0][first] = "0" * 64
    whole = (store / TABLE).read_text(encoding="utf-8")
    for text in (json.dumps(table), "", "{}", "[]", whole[:-9], "[" * 10000):
        (store / TABLE).write_text(text, encoding="utf-8")
        forget()
        parsed.clear()
        assert reached_code(STAGE) == closure(STAGE) and parsed == [STAGE], text[:40]


def test_sources_differ_by_their_bytes_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_table, "HOME", tmp_path)
    (tmp_path / "tasks").mkdir()
    seen = [sources_digest()]
    for name, text in [("a.py", "X = 1"), ("a.py", "X = 2"), ("b.py", "X = 2")]:
        (tmp_path / "tasks" / name).write_text(text, encoding="utf-8")
        seen.append(sources_digest())
    assert len(set(seen)) == len(seen)


def test_sources_that_are_edited_while_they_are_parsed_are_not_kept(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = iter(["a" * 64, "b" * 64])
    monkeypatch.setattr(code_table, "sources_digest", lambda: next(digests))
    assert reached_code(STAGE) == closure(STAGE)
    assert not (store / TABLE).exists()


def test_a_store_that_cannot_be_written_is_no_error(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(code_table, "write_synced", full)
    assert reached_code(STAGE) == closure(STAGE)

    def broken(path: Path, text: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(code_table, "write_synced", broken)
    forget()
    with pytest.raises(OSError, match="Input/output"):
        reached_code(STAGE)
