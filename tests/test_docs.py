"""What the documentation names exists: paths, targets of make, commands, modules, and names in the code."""

import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from flows.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
WRITTEN = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "reference"]
PAGES = [*READMES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *WRITTEN]
FOLDERS = ("flows", "tasks", "configs", "tests", "docs", ".ci")
"""Folders of the project; what lies below others is a user's, or is made."""
PLACEHOLDERS = re.compile(r"NAME|KIND|your_|\*|…")
EXAMPLES = {"configs/reviews.yaml", "configs/photographs.yaml", "configs/my.yaml"}
"""Recipes of a reader's own."""
NAMED = ("docs/architecture.md",)
"""Pages whose names in backticks are names in the code."""
WORDS = {
    "your_kind",
    "your_source",
    "your_step",
    "data",
    "kind",
    "detect",
    "opens",
    "needs",
    "view",
    "report",
    "encode",
    "spec",
}


def spans(text: str) -> list[str]:
    """What stands in backticks or in a fenced block, a line of it each."""
    fenced = re.findall(r"^```(?!mermaid).*?\n(.*?)^```", text, re.M | re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return [*inline, *(line for block in fenced for line in block.splitlines())]


def missing_paths(text: str) -> list[str]:
    """Paths into the project's folders, and links between pages, that lead to nothing."""
    words = {word.rstrip(".,:;)") for span in spans(text) for word in span.split()}
    inside = {word for word in words if re.fullmatch(r"\.?[\w-]+/[\w./-]*", word) and word.split("/")[0] in FOLDERS}
    inside |= {word for word in words if re.fullmatch(r"[\w-]+\.(md|toml|lock|yaml)", word) and word[0].isupper()}
    return sorted(path for path in inside - EXAMPLES if not PLACEHOLDERS.search(path) and not (ROOT / path).exists())


def missing_links(page: Path, text: str) -> list[str]:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    return [link for link in links if "://" not in link and not (page.parent / link).exists()]


@cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def unknown_calls(text: str) -> list[str]:
    """Targets of make, commands of temper, and modules of `python -m` that there are not."""
    found = []
    for span in spans(text):
        found += [f"make {name}" for name in re.findall(r"(?:^|\s)make ([a-z]+)", span) if name not in targets()]
        called = re.findall(r"(?:^|[\s/])temper (?!COMMAND)([a-z]+)(?![\w/=.-])", span)
        found += [f"temper {name}" for name in called if name not in COMMANDS]
        modules = re.findall(r"python -m ((?:flows|tasks|configs)[\w.]*)", span)
        found += [f"python -m {name}" for name in modules if importlib.util.find_spec(name) is None]
    return found


def unknown_names(text: str) -> list[str]:
    """Names in backticks, such as `CHANGES` or `encode_rows`, that no code of the project has."""
    names = {span for span in spans(text) if re.fullmatch(r"[A-Za-z][A-Za-z]*(_[a-z]+)*", span)} - WORDS
    code = "\n".join(
        path.read_text(encoding="utf-8") for folder in FOLDERS[:3] for path in ROOT.glob(f"{folder}/**/*.py")
    )
    return sorted(names - set(re.findall(r"\w+", code)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_call_and_link_of_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert spans(text)
    assert (missing_paths(text), missing_links(page, text), unknown_calls(text)) == ([], [], [])


@pytest.mark.parametrize("page", NAMED)
def test_every_name_of_a_page_is_in_the_code(page: str) -> None:
    assert unknown_names((ROOT / page).read_text(encoding="utf-8")) == []


def test_what_is_not_there_is_seen() -> None:
    assert missing_paths("See `tasks/nowhere.py` and `flows/cli/run.py`, and `NEWS.md`.") == [
        "NEWS.md",
        "tasks/nowhere.py",
    ]
    assert missing_links(ROOT / "README.md", "[a](docs/results.md) [b](docs/nowhere.md#x)") == ["docs/nowhere.md"]
    text = "`make everything`, `make test`\n```\n.venv/bin/temper conjure x.yaml\ntemper run x.yaml\n```\n"
    assert sorted(unknown_calls(text + "`python -m configs.nothing`")) == [
        "make everything",
        "python -m configs.nothing",
        "temper conjure",
    ]
    assert unknown_names("`encode_rows` and `conjure_rows`") == ["conjure_rows"]


def test_the_front_page_stays_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 120] == []


def test_both_languages_show_the_same_commands_pictures_and_pages() -> None:
    blocks, targets = [], []
    for page in READMES:
        text = page.read_text(encoding="utf-8")
        blocks.append(re.findall(r"^```.*?^```", text, re.M | re.S))
        linked = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text)
        targets.append({one for pair in linked for one in pair if one and not one.startswith("README")})
    assert len(blocks[0]) >= 4
    assert blocks[0] == blocks[1]
    assert targets[0] - targets[1] <= {"tests/BENCHMARKS.md"}


def test_every_page_is_reached_from_the_front_page() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
            waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert set(PAGES) - seen == set()


def test_the_glossary_lists_each_term_once_in_order() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    terms = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:]
    assert len(terms) > 40 and terms == sorted(set(terms), key=str.lower)


def test_every_room_has_its_paragraph() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent for folder in ("flows", "tasks") for path in ROOT.glob(f"{folder}/**/__init__.py")]
    rooms = [room for room in rooms if room.parent.name != "kinds" and room != ROOT / "tasks"]
    assert len(rooms) > 15
    assert [
        room
        for room in rooms
        if f"(`{room.relative_to(ROOT).as_posix()}/`)" not in text
        and f"`{room.relative_to(ROOT).as_posix()}/` " not in text
    ] == []


def test_the_container_gets_every_file_that_the_package_is_built_from() -> None:
    """Without its licence and its README the package is not built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    copied = (ROOT / "Dockerfile").read_text(encoding="utf-8").split()
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    needed = [project["readme"], *project["license-files"]]
    assert len(needed) == 2 and [name for name in needed if name not in copied or f"!{name}" not in kept] == []
