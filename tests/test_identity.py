"""Keys: what must change one does, and nothing else (code, section values, opened files)."""

import ast
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, make_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

import pytest
from config_reads import Reads
from copied_code import lines_of
from pydantic import Field
from pydantic.dataclasses import dataclass

from configs import cleaning, encodings, literal, models, schema, splitting
from configs.fields import STRICT
from configs.kinds import kinds, traits_of
from configs.optimizers import Adamw
from configs.settings import settings
from configs.sources import Columns as FileColumns
from configs.sources import EmbeddedSource, FileSource
from tasks.artifact import Artifact, Manifest, seal
from tasks.cached import Stage
from tasks.clean import clean
from tasks.download import download
from tasks.encode import encode
from tasks.evaluate import evaluate
from tasks.kinds.spec import module_of
from tasks.split import split
from tasks.store import disk
from tasks.store.code import differences
from tasks.store.identity import key_of, what_changed
from tasks.store.syntax import parse
from tasks.train import train
from tasks.validate import validate

ROOT = Path(__file__).resolve().parent.parent
STAGES: dict[str, Stage[Any]] = {
    stage.name: stage for stage in (download, validate, clean, split, encode, train, evaluate)
}
RUNS = {stage: [f"tasks.{stage}"] for stage, made in STAGES.items() if not made.kind} | {
    f"{stage} {kind}": [f"tasks.{stage}", *(module_of(kind, part) for part in made.kind)]
    for stage, made in STAGES.items()
    if made.kind
    for kind in kinds()
}
"""What each stage's code is reached from, in recipes of each kind for those that open one by name."""
OUTSIDE = (
    "configs",
    "tasks.cached",
    "tasks.artifact",
    "tasks.documents",
    "tasks.output",
    "tasks.pins",
    "tasks.store",
    "tasks.tracking",
)
"""What no key of these stages may depend on."""


# Code ----------------------------------------------------------------------------------------------------------------

CLOSURES = """
import ast, json, sys
from pathlib import Path
import configs, tasks
from tasks.store import code, syntax
here = str(Path.cwd())
assert tasks.__file__.startswith(here) and configs.__file__.startswith(here), tasks.__file__
runs = json.loads(sys.argv[1])
def imports(text):
    return [ast.dump(node) for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
def read(anew):
    for kept in [code._closure, syntax.source, *([code._graph, code._reached] if anew else [])]:
        kept.cache_clear()
    return {run: code.closure(*modules) for run, modules in runs.items()}
plain = read(True)
print(json.dumps(plain))
for edit in json.load(sys.stdin):
    before = {path: Path(path).read_text(encoding="utf-8") for path in edit}
    anew = any(imports(edit[path]) != imports(before[path]) for path in edit)
    for path, text in edit.items():
        Path(path).write_text(text, encoding="utf-8")
    now = read(anew)
    print(json.dumps([run for run in runs if now[run] != plain[run]]))
    for path, text in before.items():
        Path(path).write_text(text, encoding="utf-8")
    if anew:
        assert read(True) == plain
"""
"""What a module imports is asked again only where an edit changes its import statements."""
Closures = dict[str, Any]
Edit = dict[str, str]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's packages in another place, to be edited there."""
    for package in ("tasks", "configs"):
        shutil.copytree(ROOT / package, tmp_path / "copy" / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def closures(copy: Path, edits: list[Edit]) -> tuple[Closures, list[set[str]]]:
    """Every run's reachable code as it is, and for each edit (made alone) the runs that it changes."""
    plain, *edited = map(json.loads, lines_of(copy, CLOSURES, edits, json.dumps(RUNS)))
    assert len(edited) == len(edits)
    return plain, [set(each) for each in edited]


def runs_changed(copy: Path, *edits: Edit) -> list[set[str]]:
    """For each edit the runs whose code it changes; an edit that changes no file is a mistake of the test."""
    for edit in edits:
        assert any((copy / path).read_text(encoding="utf-8") != text for path, text in edit.items()), list(edit)
    return closures(copy, list(edits))[1]


def changed(copy: Path, *edits: Edit) -> list[set[str]]:
    """For each edit the stages whose code it changes in recipes of some kind."""
    return [{run.split()[0] for run in runs} for runs in runs_changed(copy, *edits)]


def sources(copy: Path, pattern: str) -> dict[str, str]:
    found = {path.relative_to(copy).as_posix(): path.read_text(encoding="utf-8") for path in sorted(copy.glob(pattern))}
    assert found, pattern
    return found


def reaching(copy: Path) -> dict[str, set[str]]:
    """File to the runs that can import it: a derivation of its own, straight from the import statements."""
    texts = sources(copy, "tasks/**/*.py")
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in texts}

    @cache
    def imported(name: str) -> list[str]:
        return list(statements(name))

    def statements(name: str) -> Iterator[str]:
        package = name if modules[name].endswith("__init__.py") else name.rpartition(".")[0]
        tree = ast.parse(texts[modules[name]])
        checked = [
            node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        ]
        never = {id(part) for node in checked for part in ast.walk(node)}
        for node in (node for node in ast.walk(tree) if id(node) not in never):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                yield from (f"{base}.{alias.name}" for alias in node.names)
                yield base

    def reach(name: str, seen: set[str]) -> set[str]:
        if name not in modules or name in seen or name.startswith(OUTSIDE):
            return seen
        seen.add(name)
        for other in [*imported(name), name.rpartition(".")[0]]:
            reach(other, seen)
        return seen

    reached = {run: {modules[name] for begun in every for name in reach(begun, set())} for run, every in RUNS.items()}
    return {path: {run for run in RUNS if path in reached[run]} for path in texts}


def commented(text: str) -> str:
    return "# a comment\n" + text.replace("\n    return ", "\n    # another\n    return ", 1) + "\n# the end\n"


def redocumented(text: str) -> str:
    """Other words in every docstring, attribute docstrings included, and one where there was none."""
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    for node in ast.walk(tree):
        for statement in (
            getattr(node, "body", []) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) else []
        ):
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                line = statement.lineno - 1
                lines[line] = lines[line].replace('"""', '"""Otherwise: ', 1)
    return "".join(lines)


def reformatted(text: str) -> str:
    """The same program in another layout, without any comment."""
    return ast.unparse(ast.parse(text)) + "\n"


def one_more_statement(text: str) -> str:
    """In the body of every function."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body.insert(1, ast.parse("planted = 0").body[0])
    return ast.unparse(tree)


def test_comments_docstrings_and_layout_of_any_file_change_nothing(copy: Path) -> None:
    texts = sources(copy, "tasks/text/*.py") | sources(copy, "tasks/train.py")
    edits = [{path: edit(text) for path, text in texts.items()} for edit in (commented, redocumented, reformatted)]
    assert changed(copy, *edits) == [set(), set(), set()]


def test_the_label_builder_changes_the_stages_that_reach_it(copy: Path) -> None:
    path = "tasks/text/segments.py"
    text = sources(copy, path)[path]
    edits = [{path: text.replace(", IGNORE_INDEX)", ", -101)")}, {path: one_more_statement(text)}]
    touched = {"encode", "train", "evaluate"}
    texts = {run for run in RUNS if run.split()[0] in touched and not run.endswith(" image")}
    assert reaching(copy)[path] == texts
    assert runs_changed(copy, *edits) == [texts, texts]


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.faults
def test_code_changes_exactly_the_stages_that_can_reach_it(copy: Path) -> None:
    """Every file of tasks/ in turn; the graph is derived a second time, from the import statements."""
    expected = reaching(copy)
    texts = sources(copy, "tasks/**/*.py")
    found = runs_changed(copy, *({path: text + "\nPLANTED = 1\n"} for path, text in texts.items()))
    assert dict(zip(texts, found, strict=True)) == expected
    assert expected["tasks/__init__.py"] == set(RUNS)
    assert expected["tasks/clean.py"] == {"clean"} and expected["tasks/register.py"] == set()
    assert {"download", "validate", "clean", "split", "encode image", "evaluate dialogue"} <= expected[
        "tasks/data/rows.py"
    ]


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_a_file_of_a_kind_changes_the_stages_that_call_it_in_recipes_of_that_kind_alone(copy: Path) -> None:
    """Nothing stale, nothing needless: each file of each kind's folder in turn."""
    texts, expected = sources(copy, "tasks/kinds/*/*.py"), reaching(copy)
    found = dict(
        zip(texts, runs_changed(copy, *({path: text + "\nPLANTED = 1\n"} for path, text in texts.items())), strict=True)
    )
    folders = {kind: traits_of(kind).folder for kind in kinds()}
    for path, runs in found.items():
        own = {kind for kind, folder in folders.items() if folder == Path(path).parent.name}
        assert own and {run.split()[1] for run in runs} <= own, path
        assert runs == expected[path], path
    assert found["tasks/kinds/masked_lm/encoding.py"] == {"encode masked", "train masked", "evaluate masked"}
    assert found["tasks/kinds/regression/report.py"] == {"evaluate regression"}
    assert found["tasks/kinds/text_classification/feed.py"] == {
        f"{stage} {kind}" for stage in ("train", "evaluate") for kind in ("label_word", "classifier")
    }
    assert found["tasks/kinds/dialogue/spec.py"] == found["tasks/kinds/dialogue/outcomes.py"] == set()


def test_the_cache_the_tracking_and_the_schema_change_nothing(copy: Path) -> None:
    texts = {
        path: text
        for pattern in (
            "tasks/cached.py",
            "tasks/artifact.py",
            "tasks/output.py",
            "tasks/pins.py",
            "tasks/store/*.py",
            "tasks/tracking/*.py",
            "configs/*.py",
        )
        for path, text in sources(copy, pattern).items()
    }
    assert len(texts) > 15
    assert changed(copy, {path: text + "\nPLANTED = 1\n" for path, text in texts.items()}) == [set()]


@pytest.mark.faults
def test_a_new_import_brings_its_code_and_library_along(copy: Path) -> None:
    path = "tasks/data/cleaning/pipeline.py"
    text = sources(copy, path)[path]
    edits = [
        {path: text + "\n\ndef late():\n    from ..sources import fetch\n"},
        {path: text + "\nimport yaml, rich\n"},
    ]
    assert "tasks.data.sources.fetch" not in closures(copy, [])[0]["clean"][0]
    assert changed(copy, *edits) == [{"clean"}, {"clean"}]
    (copy / path).write_text(edits[0][path], encoding="utf-8")
    code, libraries = closures(copy, [])[0]["clean"]
    assert "tasks.data.sources.fetch" in code and "httpx" in libraries
    deeper = {
        "tasks/data/sources/fetch.py": sources(copy, "tasks/data/sources/fetch.py")["tasks/data/sources/fetch.py"]
        + "\nPLANTED = 1\n"
    }
    assert changed(copy, deeper) == [{"download", "clean", "train", "evaluate"}], (
        "weights at an address are fetched too"
    )


def test_the_libraries_that_shape_the_output_are_named(copy: Path) -> None:
    plain, _ = closures(copy, [])
    for kind in kinds():
        assert {"torch", "transformers", "safetensors", "numpy"} <= set(plain[f"train {kind}"][1]), kind
    assert {"tokenizers", "transformers"} <= set(plain["encode classifier"][1])
    assert "pandas" in plain["clean"][1] and "great_expectations" in plain["validate"][1]
    for stage in ("download", "validate", "clean", "split"):
        assert not {"torch", "transformers"} & set(plain[stage][1]), stage
    for run in RUNS:
        assert not {"mlflow", "prefect", "matplotlib", "pydantic", "json"} & set(plain[run][1]), run


# Section values ------------------------------------------------------------------------------------------------------


@pytest.fixture
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """First defaults of the schema as it is now, apart from the project's own record."""
    known = {
        f"{kind.__name__}.{field.name}": literal.current_default(field)
        for kind in reachable(schema.Recipe)
        for field in fields(kind)
        if literal.current_default(field) is not literal.NO_DEFAULT
    }
    path = tmp_path / "defaults.json"
    path.write_text(json.dumps(known), encoding="utf-8")
    monkeypatch.setattr(literal, "DEFAULTS", path)
    literal.first_defaults.cache_clear()
    yield known
    literal.first_defaults.cache_clear()


def reachable(kind: Any, seen: dict[type, None] | None = None) -> list[type]:
    """Every dataclass that a recipe can hold."""
    seen = {} if seen is None else seen
    if isinstance(kind, type) and is_dataclass(kind) and kind not in seen:
        seen[kind] = None
        for hint in get_type_hints(kind, include_extras=True).values():
            reachable(hint, seen)
    for part in get_args(kind):
        reachable(part, seen)
    return list(seen)


MODEL = models.NewModel(kind="new", family="gpt2", config={"n_layer": 2})
TRAIN = schema.Train(model=MODEL, epochs=3, precision="float32")
SECTIONS = [
    EmbeddedSource(kind="embedded"),
    FileSource(kind="file", path="x.csv", columns=FileColumns(label="sentiment")),
    schema.Validate(min_rows=5),
    cleaning.Clean(),
    splitting.HashSplit(seed=7),
    splitting.GivenSplit(kind="given"),
    encodings.LabelWordEncode(kind="label_word", tokenizer=models.TrainedTokenizer(kind="train")),
    TRAIN,
    schema.Evaluate(),
    schema.Register(model="m"),
]


def test_only_what_differs_from_the_first_default_is_said() -> None:
    assert literal.literal(TRAIN) == {"model": {"kind": "new", "family": "gpt2", "config": {"n_layer": 2}}, "epochs": 3}
    assert literal.literal(replace(TRAIN, precision="auto")) == literal.literal(TRAIN) | {"precision": "auto"}, (
        "a later one"
    )
    assert literal.literal(cleaning.Clean()) == {}
    assert literal.literal(splitting.HashSplit()) == {"kind": "hash"}
    assert literal.literal(cleaning.Clean(max_dropped=0.2)) == {"max_dropped": 0.2}
    assert literal.complete(cleaning.Clean(max_dropped=0.2))["steps"] is None
    changed = literal.literal(replace(TRAIN, optimizer=Adamw(betas=(0.9, 0.99))))["optimizer"]
    assert changed == {"kind": "adamw", "betas": [0.9, 0.99]}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: type(section).__name__)
def test_a_new_option_with_a_default_changes_no_literal(section: Any, defaults: dict[str, Any]) -> None:
    """Listed among the first defaults or not yet; another value of it does count."""
    kind = type(section)

    @dataclass(frozen=True, kw_only=True, config=STRICT)
    class Grown(kind):  # type: ignore[misc, valid-type]
        planted: int = 7
        planted_list: tuple[int, ...] = Field(default_factory=lambda: (1, 2))
        planted_part: FileColumns = FileColumns()

    Grown.__name__ = kind.__name__
    values = {field.name: getattr(section, field.name) for field in fields(section)}
    before = literal.literal(section)
    assert literal.literal(Grown(**values)) == before
    defaults[f"{kind.__name__}.planted"] = 7
    literal.DEFAULTS.write_text(json.dumps(defaults), encoding="utf-8")
    literal.first_defaults.cache_clear()
    assert literal.literal(Grown(**values)) == before
    assert literal.literal(Grown(**values, planted=8)) == before | {"planted": 8}
    assert literal.literal(Grown(**values, planted_list=(1,))) == before | {"planted_list": [1]}
    assert literal.literal(Grown(**values, planted_part=FileColumns(text="t"))) == before | {
        "planted_part": {"text": "t"}
    }


def test_a_default_that_changes_later_enters_the_literal(defaults: dict[str, Any]) -> None:
    """And a recipe that names the old value means what it always meant."""

    @dataclass(frozen=True, kw_only=True, config=STRICT)
    class Train(schema.Train):
        epochs: int = 4

    before = literal.literal(schema.Train(model=MODEL))
    assert "epochs" not in before
    assert literal.literal(Train(model=MODEL)) == before | {"epochs": 4}
    assert literal.literal(Train(model=MODEL, epochs=1)) == before


def test_a_part_whose_default_changes_enters_the_literal_of_the_whole(defaults: dict[str, Any]) -> None:
    @dataclass(frozen=True, kw_only=True, config=STRICT)
    class Columns(FileColumns):
        label: str = "sentiment"

    before = literal.literal(FileSource(kind="file", path="x.csv"))
    after = literal.literal(FileSource(kind="file", path="x.csv", columns=Columns()))
    assert "columns" not in before and after == before | {"columns": {"label": "sentiment"}}


def test_every_default_of_the_schema_is_on_record() -> None:
    """A field with a default that configs/defaults.json does not list would change keys when the default changes."""
    known = json.loads((ROOT / "configs" / "defaults.json").read_text(encoding="utf-8"))
    assert missing(schema.Recipe, known) == [], "run `python -m configs.literal`"
    assert len(known) > 80


def missing(root: Any, known: dict[str, Any]) -> list[str]:
    return [
        name
        for kind in reachable(root)
        for field in fields(kind)
        if literal.current_default(field) is not literal.NO_DEFAULT
        and (name := f"{kind.__name__}.{field.name}") not in known
    ]


def test_the_guard_sees_what_is_missing() -> None:
    known = json.loads((ROOT / "configs" / "defaults.json").read_text(encoding="utf-8"))
    for name in ("Train.epochs", "Columns.text", "HashSplit.kind", "NewModel.config", "TrainedTokenizer.vocab_size"):
        assert missing(schema.Recipe, {key: value for key, value in known.items() if key != name}) == [name]
    assert missing(make_dataclass("Fresh", [("part", cleaning.Clean), ("speed", int, 3)]), known) == ["Fresh.speed"]
    assert len(reachable(schema.Recipe)) >= 20


def test_no_two_classes_of_the_schema_share_a_name() -> None:
    """defaults.json tells them apart by it."""
    names = [kind.__name__ for kind in reachable(schema.Recipe)]
    assert sorted(set(names)) == sorted(names)


# Opened files and pinned sources -------------------------------------------------------------------------------------

PARTS = ("train.parquet", "validation.parquet", "test.parquet")
FILES = {
    "download": ("rows.parquet", "ledger.parquet"),
    "validate": ("rows.parquet", "labels.json", "ledger.parquet"),
    "clean": ("rows.parquet", "labels.json", "ledger.parquet"),
    "split": (*PARTS, "labels.json", "ledger.parquet"),
    "encode": (*PARTS, "tokenizer.json", "encoding.json", "certificate.json", "ledger.parquet"),
    "train": ("model.safetensors", "config.json", "tokenizer.json", "encoding.json"),
}
NEEDS: dict[str, tuple[Any, dict[str, str]]] = {
    "validate": (schema.Validate(), {"raw": "download"}),
    "clean": (cleaning.Clean(), {"checked": "validate"}),
    "split": (splitting.HashSplit(), {"rows": "clean"}),
    "encode": (SECTIONS[6], {"splits": "split"}),
    "train": (TRAIN, {"encoded": "encode"}),
    "evaluate": (schema.Evaluate(), {"model": "train", "encoded": "encode", "splits": "split"}),
}


def upstream(stage: str, key: str, **other: str) -> Artifact:
    """An artifact of a stage, some of its files with other content."""
    partial = disk.begin(settings().store, stage, key)
    for name in FILES[stage]:
        (partial / "data" / name).write_text(other.get(name, name))
    (partial / "records" / "summary.md").write_text(key)
    return disk.commit(settings().store, stage, key, {"inputs": {}, "section": {"kind": "classifier"}})


def key(stage: str, section: Any, inputs: dict[str, Artifact]) -> str:
    return key_of(STAGES[stage].identify(section, inputs, ask=False)[1])


OPENED = {
    ("validate", "raw"): {"rows.parquet", "ledger.parquet"},
    ("clean", "checked"): {"rows.parquet", "ledger.parquet", "labels.json"},
    ("split", "rows"): {"rows.parquet", "ledger.parquet", "labels.json"},
    ("encode", "splits"): {*PARTS, "ledger.parquet", "labels.json"},
    ("train", "encoded"): {"train.parquet", "validation.parquet", "tokenizer.json", "encoding.json"},
    ("evaluate", "model"): set(FILES["train"]),
    ("evaluate", "encoded"): {"train.parquet", "test.parquet"},
    ("evaluate", "splits"): {"train.parquet", "test.parquet"},
}


@pytest.mark.parametrize("stage", NEEDS)
def test_only_declared_files_enter_a_key(stage: str) -> None:
    """Among others: a training does not see the test rows."""
    section, needs = NEEDS[stage]
    plain = {name: upstream(source, "plain") for name, source in needs.items()}
    before = key(stage, section, plain)
    assert before == key(stage, section, {name: upstream(source, "other_key") for name, source in needs.items()})
    for name, source in needs.items():
        sees = set()
        for number, file in enumerate(FILES[source]):
            edited = upstream(source, f"{name}{number}", **{file: "other"})
            assert edited.digest != plain[name].digest
            sees |= {file} if key(stage, section, plain | {name: edited}) != before else set()
        assert sees == OPENED[stage, name]


def test_the_key_tells_what_changed() -> None:
    encoded = {"encoded": upstream("encode", "a")}
    _, before = train.identify(TRAIN, encoded, ask=False)
    other = {"encoded": upstream("encode", "b", **{"train.parquet": "x"})}
    _, after = train.identify(replace(TRAIN, epochs=5), other, ask=False)
    told = differences(before, after)
    assert told[0] == "inputs.encoded.train.parquet" and told[1] == "section.epochs: 3 → 5" and len(told) == 2
    assert differences(before, before) == []


def test_a_source_of_another_kind_is_no_earlier_form_of_a_source(tmp_path: Path) -> None:
    """A first recipe of one's own is not compared with the demo that ran before."""
    (tmp_path / "data" / "rows.csv").write_text("text,label\na,b\n")
    store, section = tmp_path / "store", FileSource(kind="file", path="rows.csv")
    _, now = download.identify(section, {}, ask=False)

    def remember(name: str, known: object) -> None:
        (store / "download" / name).mkdir(parents=True)
        (store / "download" / name / "manifest.json").write_text(seal(cast(Manifest, {"identity": known})))

    remember("demo", {**now, "section": {"kind": "embedded", "name": "reviews"}})
    assert what_changed(store, "download", now) == ["never computed here"]
    remember("mine", {**now, "section": {**dict(cast(Any, now["section"])), "format": ".tsv"}})
    assert what_changed(store, "download", now) == ["section.format: .tsv → .csv"]


def test_every_value_of_a_section_counts() -> None:
    encoded = {"encoded": upstream("encode", "a")}
    others = [
        replace(TRAIN, learning_rate=1e-5),
        replace(TRAIN, seed=1),
        replace(TRAIN, precision="bfloat16"),
        replace(TRAIN, clip=1.0),
        replace(TRAIN, model=replace(MODEL, config={"n_layer": 3})),
        replace(TRAIN, model=replace(MODEL, family="opt")),
    ]
    assert len({key("train", section, encoded) for section in (TRAIN, *others)}) == 1 + len(others)


def test_a_source_file_counts_by_its_bytes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    section = FileSource(kind="file", path="rows.csv")
    keys = []
    for text in ("text,label\na,b\n", "text,label\na,c\n"):
        (data / "rows.csv").write_text(text)
        keys.append(key("download", section, {}))
    os.utime(data / "rows.csv", ns=(1, 1))
    (data / "copy.csv").write_text("text,label\na,b\n")
    assert keys[0] != keys[1] == key("download", section, {})
    assert key("download", replace(section, path="copy.csv"), {}) == keys[0]
    assert key("download", replace(section, path=str(data / "copy.csv")), {}) == keys[0]
    (data / "copy.tsv").write_text("text,label\na,b\n")
    assert key("download", replace(section, path="copy.tsv"), {}) != keys[0], "it is read in another way"


def test_many_threads_at_once_read_the_code_once() -> None:
    """In two threads at once CPython 3.11's ast.parse may fail; seen with 16 flow runs in four processes."""
    from concurrent.futures import ThreadPoolExecutor

    from tasks.store import code

    before, misses = code.closure("tasks.split"), code._closure.cache_info().misses
    code._closure.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(code.closure, ["tasks.split"] * 8))
    assert found == [before] * 8
    assert misses
    assert code._closure.cache_info().misses == 1


def test_an_interpreter_that_stumbles_over_threads_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython 3.11 while another thread parses; it ended scheduled runs as failed."""
    calls, healthy = [], ast.parse

    def stumbling(source: str) -> ast.Module:
        calls.append(source)
        if len(calls) < 3:
            raise SystemError("AST constructor recursion depth mismatch (before=57, after=74)")
        return healthy(source)

    monkeypatch.setattr(ast, "parse", stumbling)
    assert ast.dump(parse("a = 1")) == ast.dump(healthy("a = 1")) and len(calls) == 3
    monkeypatch.setattr(ast, "parse", lambda source: (_ for _ in ()).throw(SystemError("for good")))
    with pytest.raises(SystemError, match="for good"):
        parse("a = 1")
    monkeypatch.setattr(ast, "parse", healthy)
    with pytest.raises(SyntaxError):
        parse("a = ")


# What is read of configs ----------------------------------------------------------------------------------------------

READ = {
    "configs/text_steps.py": {"UNSPACED": {"clean"}, "UNSPACED_LETTERS": set()},
    "configs/weights.py": {"CLIP": {"train", "evaluate"}, "IMAGENET": {"encode", "train", "evaluate"}},
    "configs/encodings.py": {"ACCURACY": {"encode", "evaluate"}, "TEMPLATES": {"encode"}},
    "configs/scores.py": {"SHARES": set(), "LOWER": {"evaluate"}},
    "configs/augmentations.py": {"TINY": set()},
    "configs/expectations.py": {"USUAL": {"validate"}},
    "configs/load.py": {"DEEPEST": set()},
    "configs/recipe_comments.py": {"FORGIVING": set()},
    "configs/names.py": {"LONGEST": set()},
}
"""Constants by file, each with the stages whose results it can shape."""


def constants(text: str) -> list[str]:
    """Names in capitals that a module binds at its top."""
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [target for node in nodes for target in (getattr(node, "targets", None) or [node.target])]
    return sorted({one.id for one in targets if isinstance(one, ast.Name) and one.id == one.id.upper()})


def with_another(text: str, name: str) -> str:
    """The module with another value of a constant, where it is bound."""
    for node in ast.parse(text).body:
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        named = {target.id for target in targets if isinstance(target, ast.Name)}
        if name in named and node.value is not None:  # type: ignore[attr-defined]
            lines = text.splitlines(keepends=True)
            first, last = node.value.lineno - 1, node.value.end_lineno  # type: ignore[attr-defined]
            start, end = node.value.col_offset, node.value.end_col_offset  # type: ignore[attr-defined]
            before, after = lines[first].encode()[:start].decode(), lines[last - 1].encode()[end:].decode()
            return "".join([*lines[:first], f'{before}("another", "value"){after}', *lines[last:]])
    raise AssertionError(f"no value of {name}")


@pytest.mark.faults
def test_a_constant_of_configs_changes_exactly_the_stages_that_read_it(copy: Path) -> None:
    texts = sources(copy, "configs/*.py")
    asked = [(path, name, wanted) for path, each in READ.items() for name, wanted in each.items()]
    found = changed(copy, *({path: with_another(texts[path], name)} for path, name, _ in asked))
    assert {name: got for (_, name, _), got in zip(asked, found, strict=True)} == {name: one for _, name, one in asked}


@pytest.mark.faults
def test_fields_and_checks_of_sections_change_no_code_and_methods_do(copy: Path) -> None:
    source = sources(copy, "configs/sources.py")["configs/sources.py"]
    assert 'kind: Literal["url"]' in source and "def places(self)" in source
    field = source.replace('    kind: Literal["url"]', '    more: int = 3\n    kind: Literal["url"]')
    method = source.replace("def places(self)", "def places(self, more: int = 3)")
    added = source + "\n\nNEW = 7\n"
    assert changed(copy, *({"configs/sources.py": text} for text in (field, method, added))) == [
        set(),
        {"download"},
        set(),
    ]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_constant_of_the_project_changes_all_that_read_it_and_nothing_else(copy: Path) -> None:
    """Of tasks: the stages that can import the module. Of configs: those whose code names it, directly or through
    what it names of configs. Both are derived a second time, from import statements and from tokens."""
    tasks, configs, reached = sources(copy, "tasks/**/*.py"), sources(copy, "configs/*.py"), reaching(copy)
    reads = Reads(configs)
    read = {path: reads.of(text) for path, text in tasks.items() if reached[path]}
    asked = [(path, name) for path, text in (tasks | configs).items() for name in constants(text)]
    found = runs_changed(copy, *({path: with_another((tasks | configs)[path], name)} for path, name in asked))
    wrong = {}
    for (path, name), runs in zip(asked, found, strict=True):
        symbol = (Path(path).stem, name)
        by_reading = {run for one, symbols in read.items() if symbol in symbols for run in reached[one]}
        expected = reached[path] if path in tasks else by_reading
        if runs != expected:
            wrong[path, name] = (sorted(runs - expected), sorted(expected - runs))
    assert not wrong, "\n".join(f"{at}: needless {more}, stale {less}" for at, (more, less) in wrong.items())
    assert len(asked) > 600 and sum(map(bool, found)) > 300 and sum(not runs for runs in found) > 100
