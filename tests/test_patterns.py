"""Every regular expression of the program is linear: a million awkward characters take it less than a second."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import awkward
import pytest
from awkward import Use
from test_call_reader import READERS

from tasks.autodetect import unknown_files
from tasks.data.cleaning import filters as words
from tasks.text.chat import parse_reply as replies
from tasks.text.chat.call_forms import COUNT, KEY

MILLION = 10**6
CHANNEL, MARKED, PYTHONIC = (READERS[name].form for name in ("channel", "marked", "pythonic"))
"""How three templates write calls, as it is found by rendering them."""
OWN = "a recipe's own pattern, which its author answers for"
KNOWN: dict[str, tuple[str, str] | str] = {
    "re.compile(source.pattern)": OWN,
    "source.pattern": OWN,
    "pattern": OWN,
    "self.pattern": OWN,
    "step.pattern": OWN,
    "f'(?<![^{separator}]){escape}N(?=[{separator}\\\\r\\\\n]|$)'": (r"(?<![^,])\\N(?=[,\r\n]|$)", "finditer"),
    "f'{escape}(.)'": (r"\\(.)", "finditer"),
    'f"({part}(?:[\'’]{part})*[^\\\\S\\\\n]*)"': (words._word().pattern, "finditer"),
    "'|'.join(map(re.escape, longest_first)) or '(?!)'": ("<a>|<ab>|<", "finditer"),
    "'|'.join(map(re.escape, longest_first))": ("<a>|<ab>|<", "finditer"),
    "f'(?:^|\\\\n|>|\\\\])[ \\\\t]*({names})[ \\\\t]*(?:\\\\n|\\\\[ARGS\\\\])[ \\\\t]*{FENCE}\\\\Z'": (
        replies._named(["search", "book"]).pattern,
        "search",
    ),
    "f'{DECISIONS}/{re.escape(str(about.name))}-{about.version}-\\\\d+\\\\.json'": (
        r"decisions/name-1-\d+\.json",
        "fullmatch",
    ),
    "f'{DECISIONS}/{re.escape(name)}-\\\\d+-\\\\d+\\\\.json'": (r"decisions/name-\d+-\d+\.json", "fullmatch"),
    "f'[+-]?[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+'": (r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+", "fullmatch"),
    "f'(\\\\s+|{re.escape(name)}|{re.escape(number)}|{COUNT})'": (rf"(\s+|findQux|7413|{COUNT})", "finditer"),
    "f'\\\\b{name}\\\\b'": (r"\beos_token\b", "search"),
    "'|'.join(map(re.escape, sorted(specials, key=len, reverse=True))) or '(?!)'": ("<a>|<ab>|<", "finditer"),
    "'(' + '|'.join(map(re.escape, shown)) + ')'": ("(<a>|<ab>|<)", "finditer"),
    "f'{self.opener}(?P<name>{_names(tools)}){self.middle}'": (
        rf"{CHANNEL.opener}(?P<name>search|book){CHANNEL.middle}",
        "finditer",
    ),
    "f'{self.opener}(?P<name>{names})(?={self.middle}|{self.empty})'": (
        rf"{MARKED.opener}(?P<name>search|book)(?={MARKED.middle}|{MARKED.empty})",
        "finditer",
    ),
    "f'(?:{self.another})(?P<name>{names})(?={self.middle}|{self.empty})'": (
        rf"(?:{MARKED.another})(?P<name>search|book)(?={MARKED.middle}|{MARKED.empty})",
        "match",
    ),
    "f\"{lead}(?P<key>{KEY})(?:{'|'.join(self.assign)})\"": (
        rf"{MARKED.middle}(?P<key>{KEY})(?:{'|'.join(MARKED.assign)})",
        "match",
    ),
    "f'{re.escape(self.quote)}{ends}'": (rf"\"(?:{PYTHONIC.between}{KEY}(?:=)|{PYTHONIC.close})", "finditer"),
    "ends": (rf"(?:{PYTHONIC.between}{KEY}(?:=)|{PYTHONIC.close})", "finditer"),
    "self.close if arguments else self.empty": (MARKED.empty, "match"),
    "f'{re.escape(closes)}{ends}'": (rf"\](?:{PYTHONIC.between}{KEY}(?:=)|{PYTHONIC.close})", "finditer"),
    "'|'.join(map(re.escape, self._texts)) or '(?!)'": ("<a>|<ab>|<", "finditer"),
}
"""Patterns that are put together at run time: one such with the method that it is used by, or why none is needed."""
ONLY_WHOLE = [pattern.pattern for pattern in unknown_files.LABELLED]
"""Compiled ones whose method the source does not show, by name: they are matched with `fullmatch`."""


@cache
def found_uses() -> list[Use]:
    """Once for all tests: every module with a pattern is imported."""
    return awkward.uses()


def cases() -> list[tuple[str, str, int, str]]:
    """Where, pattern, flags and method of every use."""
    found = []
    for use in found_uses():
        known = KNOWN[use.unknown] if use.unknown else (use.pattern, use.method)
        if not isinstance(known, str):
            pattern, method = known
            method = "fullmatch" if pattern in ONLY_WHOLE else "finditer" if method == "compile" else method
            found.append((use.where, pattern, use.flags, method))
    return found


def slow(listed: list[tuple[str, str, int, str]], file: Path, length: int) -> list[str]:
    """Those that take a second or more for a text of that length; each is tried in a process that can be killed."""
    file.write_text(repr([(pattern, flags, method, length) for _, pattern, flags, method in listed]), encoding="utf-8")
    found, first = [], 0
    while first < len(listed):
        done = subprocess.run(
            [sys.executable, awkward.__file__, str(file), str(first), str(length)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode <= 0, done.stderr
        lines = [line.split() for line in done.stdout.splitlines()]
        seconds = {int(number): float(took[0]) for word, number, *took in lines if word == "done"}
        found += [f"{listed[at]} took {took} s" for at, took in seconds.items() if took >= awkward.LIMIT]
        if done.returncode == 0:
            break
        killed = int(next(number for word, number, *_ in reversed(lines) if word == "begun"))
        found.append(f"{listed[killed]} was killed")
        first = killed + 1
    return found


@pytest.mark.long
def test_every_pattern_is_known() -> None:
    """Found by the source itself; one that cannot be told without running it is listed above."""
    uses = found_uses()
    assert len(uses) > 80
    assert [use for use in uses if use.unknown and use.unknown not in KNOWN] == []
    assert set(KNOWN) == {use.unknown for use in uses if use.unknown}


@pytest.mark.long
def test_a_million_awkward_characters_take_less_than_a_second(tmp_path: Path) -> None:
    assert slow(cases(), tmp_path / "cases", MILLION) == []


@pytest.mark.faults
def test_planted_patterns_that_go_back_and_forth_are_slow(tmp_path: Path) -> None:
    planted = [("folders", r"([^/]+)/[^/]+$", 0, "search"), ("numbers", r"(\d+)\s*(?:usd)?\s*(?:-)", 0, "fullmatch")]
    found = slow([*planted, ("fine", r"\s*(\d+)", 0, "fullmatch")], tmp_path / "cases", MILLION // 10)
    assert found == [f"{use} was killed" for use in planted]


def test_a_pattern_in_any_form_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "planted_patterns.py").write_text(
        "import re\nPART = 'a+'\nBYTES = re.compile(rb'f+')\nWHOLE = re.compile(rf'{PART}b', re.I)\n"
        "\n\ndef f(x, column, part):\n"
        "    BYTES.match(x)\n    WHOLE.fullmatch(x)\n    re.sub('c+', '', x)\n    column.str.contains('d+')\n"
        "    column.str.replace('e', '', regex=False)\n    re.search(f'{part}g', x)\n"
    )
    monkeypatch.setattr(awkward, "ROOT", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import configs

    monkeypatch.setattr(configs, "__path__", [*configs.__path__, str(tmp_path / "configs")])
    seen = {(use.pattern, use.method, use.unknown) for use in awkward.uses()}
    assert seen == {
        ("a+b", "fullmatch", ""),
        ("f+", "match", ""),
        ("f+", "compile", ""),
        ("c+", "finditer", ""),
        ("d+", "search", ""),
        ("", "search", "f'{part}g'"),
    }
