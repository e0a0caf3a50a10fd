"""Every regular expression of the program, and texts on which a pattern that goes back and forth takes for ever.

As a program: reads cases (pattern, flags, how it is used) from a file and prints the seconds of the processor that
each takes; a case that exceeds its limit ends the process.
"""

import ast
import importlib
import re
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
METHODS = {
    "search": "search",
    "match": "match",
    "fullmatch": "fullmatch",
    "sub": "finditer",
    "subn": "finditer",
    "split": "finditer",
    "findall": "finditer",
    "finditer": "finditer",
}
OF_SERIES = {
    "extract": "search",
    "extractall": "finditer",
    "contains": "search",
    "match": "match",
    "fullmatch": "fullmatch",
    "replace": "finditer",
    "split": "finditer",
    "count": "finditer",
    "findall": "finditer",
}
"""pandas' methods below `.str`, with those of `re` that do the same."""
LIMIT = 1.0
"""Seconds of the processor for one text."""
SLOWEST = 5
"""Shapes of text that are tried at full length."""
LONGEST_SAMPLE = 60


@dataclass(frozen=True)
class Use:
    """A pattern, its flags, and the method by which texts are matched; `unknown`: it cannot be told without running."""

    where: str
    pattern: str
    flags: int
    method: str
    unknown: str = ""


def uses() -> list[Use]:
    """Every use of a regular expression in flows, tasks and configs."""
    found = [
        use
        for folder in ("flows", "tasks", "configs")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for use in _uses_in(path)
    ]
    called = {(use.pattern, use.flags) for use in found if use.method != "compile" and not use.unknown}
    found = [use for use in found if use.method != "compile" or (use.pattern, use.flags) not in called]
    return list({(use.pattern, use.flags, use.method, use.unknown): use for use in found}.values())


def _uses_in(path: Path) -> Iterator[Use]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not any(word in path.read_text(encoding="utf-8") for word in ("re.", ".str.", "token_pattern")):
        return
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for node in ast.walk(tree):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute) and node.attr in METHODS and not _is_re(node.value):
            known, value = _value(node.value, module)
            if known and isinstance(value, re.Pattern):
                yield Use(where, _text_of(value), value.flags, METHODS[node.attr])
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            if keyword.arg == "token_pattern":
                yield _use(where, keyword.value, 0, "finditer", module)
        if isinstance(node.func, ast.Attribute) and node.args:
            name = node.func.attr
            if _is_re(node.func.value) and name in (*METHODS, "compile"):
                flags = next((k.value for k in node.keywords if k.arg == "flags"), None)
                place = 2 if name in ("search", "match", "fullmatch", "findall", "finditer") else 1
                more = node.args[place] if len(node.args) > place and name != "sub" else flags
                _, number = _value(more, module) if more is not None else (True, 0)
                yield _use(where, node.args[0], int(number or 0), METHODS.get(name, "compile"), module)
            elif name in OF_SERIES and _is_of_series(node):
                yield _use(where, node.args[0], 0, OF_SERIES[name], module)


def _is_of_series(call: ast.Call) -> bool:
    """Whether it is a method below `.str` whose first argument is a pattern."""
    told = [k.value.value for k in call.keywords if k.arg == "regex" and isinstance(k.value, ast.Constant)]
    assert isinstance(call.func, ast.Attribute)
    below = isinstance(call.func.value, ast.Attribute) and call.func.value.attr == "str"
    return below and (bool(told[0]) if told else call.func.attr not in ("replace", "split"))


def _is_re(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "re"


def _use(where: str, node: ast.expr, flags: int, method: str, module: Any) -> Use:
    known, value = _value(node, module)
    if not known:
        return Use(where, "", flags, method, ast.unparse(node))
    if isinstance(value, re.Pattern):
        return Use(where, _text_of(value), value.flags, method)
    pattern = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return Use(where, pattern, re.compile(pattern, flags).flags, method)


def _text_of(compiled: re.Pattern[Any]) -> str:
    """A pattern as text, one of bytes too, since the texts that are tried are no bytes."""
    pattern = compiled.pattern
    return pattern.decode("latin-1") if isinstance(pattern, bytes) else str(pattern)


def _value(node: ast.expr, module: Any) -> tuple[bool, Any]:
    """What an expression is by the names of its module alone."""
    try:
        return True, eval(compile(ast.Expression(node), "", "eval"), {**vars(module), "re": re})
    except Exception:
        return False, None


def shapes(pattern: str, flags: int) -> list[tuple[str, str]]:
    """Texts made of what the pattern itself looks for, as a beginning and what is repeated behind it."""
    parsed = re._parser.parse(pattern, flags)  # type: ignore[attr-defined]
    letters = list(dict.fromkeys([*_letters(parsed), "a", " ", "0"]))[:12]
    found = [("", one + two) for one in letters[:6] for two in letters[:6]]
    for sample in {_sample(parsed, 0), _sample(parsed, 1)}:
        found += [(sample[:cut], letter) for cut in range(min(len(sample), LONGEST_SAMPLE) + 1) for letter in letters]
        found += [("", part) for part in (sample, sample[:-1], sample[1:], sample + "\n") if part]
    return list(dict.fromkeys(found))


def text(shape: tuple[str, str], length: int) -> str:
    """A shape at full length; its last character is one that nothing looks for."""
    begin, part = shape
    return begin + part * ((length - len(begin)) // len(part)) + "\x01"


def _letters(parsed: Any) -> Iterator[str]:
    for kind, value in parsed:
        name = str(kind)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield chr(value)
        elif name == "IN":
            yield from _members(value)
        elif name == "RANGE":
            yield chr(value[0])
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            yield from _letters(value[2])
        elif name == "SUBPATTERN":
            yield from _letters(value[3])
        elif name == "BRANCH":
            for branch in value[1]:
                yield from _letters(branch)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from _letters(value[1])
        elif name == "ATOMIC_GROUP":
            yield from _letters(value)


CATEGORIES = {"CATEGORY_SPACE": " \n", "CATEGORY_DIGIT": "0", "CATEGORY_WORD": "a"}


def _members(items: Any) -> Iterator[str]:
    for kind, value in items:
        if str(kind) == "LITERAL":
            yield chr(value)
        elif str(kind) == "RANGE":
            yield chr(value[0])
        elif str(kind) == "CATEGORY":
            yield from CATEGORIES.get(str(value), "-")


def _sample(parsed: Any, least: int) -> str:
    """A text that the pattern matches, or nearly so; what may be absent stands in it `least` times."""
    said = ""
    for kind, value in parsed:
        name = str(kind)
        if name == "LITERAL":
            said += chr(value)
        elif name == "IN" and str(value[0][0]) == "NEGATE":
            said += next((letter for letter in "aZ0_ é" if letter not in set(_members(value))), "x")
        elif name == "IN":
            said += next(iter(_members(value)), "x")
        elif name in ("NOT_LITERAL", "ANY"):
            said += "x"
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            said += _sample(value[2], least) * max(least, min(value[0], 20))
        elif name == "SUBPATTERN":
            said += _sample(value[3], least)
        elif name == "BRANCH":
            said += _sample(value[1][0], least)
        elif name == "ATOMIC_GROUP":
            said += _sample(value, least)
    return said


def run(compiled: re.Pattern[str], method: str, text: str) -> float:
    """Match a text as the program does; returns the seconds of the processor."""
    used = time.process_time()
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + LIMIT) + 2, hard))  # beyond it the process is killed
    if method == "finditer":
        for _ in compiled.finditer(text):
            pass
    else:
        getattr(compiled, method)(text)
    return time.process_time() - used


def main(cases: str, first: int, length: int) -> None:
    """Run cases (a Python list of pattern, flags, method, longest text) from the first on, printing each.

    Every shape is tried at a hundredth of the length, the slowest of them at the whole.
    """
    listed = ast.literal_eval(Path(cases).read_text(encoding="utf-8"))
    for number, (pattern, flags, method, longest) in enumerate(listed[first:], first):
        compiled = re.compile(pattern, flags)
        print(f"begun {number}", flush=True)
        size = min(length, longest)
        slowest = sorted(shapes(pattern, flags), key=lambda shape: -run(compiled, method, text(shape, size // 100)))
        worst = max(run(compiled, method, text(shape, size)) for shape in slowest[:SLOWEST])
        print(f"done {number} {worst:.4f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
