"""Texts that people read use the field's words: none of a list of retired words is in messages, docstrings or docs."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RETIRED = {
    r"foret(?:ell|ells|old|elling)": "predict",
    r"mend(?:s|ed|ing)?": "fix",
    r"told|tells?|telling": "report, state, distinguish",
    r"aloud": "reported",
    r"(?:fall|falls|fell|fallen|falling)\s+away": "are dropped",
    r"(?:set|sets|setting)\s+aside": "quarantine",
    r"anew": "again, rebuild",
    r"besides?": "next to, apart from",
    r"look(?:s|ed|ing)?\s+at": "inspect, check",
    r"speaks?\s+of": "concern",
    r"(?:says?|said)\s+of": "state about",
    r"(?:is|are|was|be|been)\s+said": "report, state",
    r"(?:says?|saying)\s+so": "report, state",
    r"held\s+against": "compared with",
    r"openings": "test-set evaluations",
    r"surest": "most confident",
    r"fill(?:s|ed|ing)?\s+(?:the\s+)?gaps?|fillers?": "masked language model, padding token",
    r"models?\s+(?:that\s+)?(?:writes|wrote)": "generative model",
    r"model's\s+answers?|right\s+answers?": "prediction",
    r"voices?|lookers?|tellers?": "callbacks, view, display",
}
"""Patterns of whole words, and what stands in their place."""
ALLOWED = {
    ("flows/cli/trace.py", "told"): "a key of the JSON document of `temper trace`",
    ("flows/row_prediction.py", "told"): "a key of the JSON document of `temper trace`",
    ("flows/trace_document.py", "told"): "a key of the JSON document of `temper trace`",
    ("tasks/data/sources/part_names.py", "fillers"): "the constant of that module, for words without a meaning",
}
"""By file and word why a retired word stays."""
WORDS = re.compile(r"\b(?:" + "|".join(RETIRED) + r")\b", re.IGNORECASE)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Lines and texts of a file that people read: strings, docstrings and comments of code; comments of a recipe."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    else:
        for number, line in enumerate(source.splitlines(), 1):
            yield number, line.partition("#")[2] if path.suffix == ".yaml" else line


def retired(path: Path, name: str) -> list[str]:
    """Each retired word of a file with its line, less those that may stay."""
    found = ((line, match.group()) for line, text in texts(path) for match in WORDS.finditer(text))
    return [f"{name}:{line}: {word}" for line, word in found if (name, word.lower()) not in ALLOWED]


def files() -> list[str]:
    """The files that people read, relative to the root."""
    code = (path for room in ("flows", "tasks", "configs") for path in (ROOT / room).rglob("*.py"))
    found = [*code, *(ROOT / "configs").glob("*.yaml"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def test_retired_words_are_gone() -> None:
    assert [line for name in files() for line in retired(ROOT / name, name)] == []


def test_what_is_allowed_is_there() -> None:
    for name, word in ALLOWED:
        assert any(word in text.lower() for _, text in texts(ROOT / name)), f"{name} has no {word!r} any more"


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.py", 'raise ValueError(f"{1} rows\\nFall  away")\n', "Fall  away"),
        ("a.py", '"""What is foretold."""\n', "foretold"),
        ("a.py", "x = 1  # mended below\n", "mended"),
        ("a.yaml", "name: told\nseed: 1  # said aloud\n", "aloud"),
        ("a.md", "The model's answers\n", "model's answers"),
        ("a.py", 'raise ValueError("the text beside its calls")\n', "beside"),
        ("a.py", 'raise ValueError("damaged; pack it anew")\n', "anew"),
        ("a.py", "x = 1  # looked at once\n", "looked at"),
        ("a.py", '"""What a package says of itself."""\n', "says of"),
        ("a.md", "What is said here\n", "is said"),
        ("a.yaml", "seed: 1  # the summary says so\n", "says so"),
        ("a.md", "a rule that speaks of rows\n", "speaks of"),
    ],
)
def test_a_planted_word_is_seen(tmp_path: Path, name: str, text: str, word: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    [line] = retired(tmp_path / name, name)
    assert line.endswith(f": {word}")
    kept = ("predicted", "recommended", "intellect", "untold", "restoration", "an invoice", "a comment")
    (tmp_path / name).write_text("".join(f"# {one}\n" for one in kept), encoding="utf-8")
    assert retired(tmp_path / name, name) == []


NAMELESS = {"found", "told", "made", "said", "one", "beside"}
"""Names of variables, parameters, attributes and functions that say nothing of what they hold."""


def nameless(source: str) -> list[str]:
    """Each of a file that is called so, with its line. A TypedDict's fields are none: they are keys of JSON documents,
    which keep their spelling."""
    keys, named = set(), []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef(bases=bases) if any("TypedDict" in ast.unparse(base) for base in bases):
                keys |= {id(part.target) for part in node.body if isinstance(part, ast.AnnAssign)}
            case ast.arg(arg=name) | ast.FunctionDef(name=name) if name.lstrip("_") in NAMELESS:
                named.append(f"{node.lineno}: {name}")
            case ast.Name(id=name) | ast.Attribute(attr=name) if isinstance(node.ctx, ast.Store):
                named += [f"{node.lineno}: {name}"] if name in NAMELESS and id(node) not in keys else []
    return named


def test_names_say_what_they_hold() -> None:
    paths = [path for room in ("flows", "tasks", "configs") for path in (ROOT / room).rglob("*.py")]
    assert [f"{path.relative_to(ROOT)}:{name}" for path in paths for name in nameless(path.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("found = 1\n", ["1: found"]),
        ("def f(told: int) -> int:\n    return told\n", ["1: told"]),
        ("for row, said in rows:\n    pass\n", ["1: said"]),
        ("sum(one for one in rows)\n", ["1: one"]),
        ("g = lambda made: made\n", ["1: made"]),
        ("class A:\n    found: int = 0\n", ["2: found"]),
        ("self.told = 1\nprint(a.found, found_at)\n", ["1: told"]),
        ("def _said() -> str:\n    return ''\n", ["1: _said"]),
        ("class A(TypedDict):\n    found: int\n", []),
    ],
)
def test_a_planted_name_is_seen(source: str, seen: list[str]) -> None:
    assert nameless(source) == seen
