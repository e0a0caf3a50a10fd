"""The wire format is kept on both sides: by models that an earlier Temper registered, and by what Temper registers now.

The archives hold models of every kind that other commits registered (tests/build_registered.py). Of them nothing
is loaded: the carried modules are read as source.
"""

import ast
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from build_registered import extract
from registered_recipes import KINDS, NEWER, PAIRED

from configs.kinds import kinds
from tasks.kinds.spec import module_of, open_kind
from tasks.tracking import wire_format

PROTOCOLS: dict[str, type] = {
    "seq2seq": wire_format.TextWriter,
    "masked": wire_format.MaskedPredictor,
    "dialogue": wire_format.DialoguePredictor,
    "token_classification": wire_format.Tagger,
    "preference": wire_format.Comparer,
}
"""Kinds whose predictor is called past what is served."""
RESULTS = {
    "seq2seq": [wire_format.WrittenText],
    "masked": [wire_format.HiddenTokens],
    "dialogue": [wire_format.WrittenTurn],
}
"""What their calls give, each a class of the predictor's own module."""
COLUMNS = {
    "generative": ["label", "probability", "probability of bad", "probability of good"],
    "classifier": ["label", "probability", "probability of bad", "probability of good"],
    "image": ["label", "probability", "probability of left", "probability of right"],
    "regression": ["value"],
    "seq2seq": ["written"],
    "masked": ["filled", "probability"],
    "token_classification": ["entities", "probability"],
    "multi_label": ["labels", *(f"probability of {label}" for label in ("early", "empty", "full", "late", "rail"))],
    "paired_classifier": ["label", "probability", "probability of bad", "probability of good"],
    "paired_regression": ["value"],
}
"""What MLflow says that a model gives, in the words of the time."""


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extract(tmp_path_factory.mktemp("registered"))


def members(protocol: type) -> Iterator[tuple[str, int | None]]:
    """A protocol's names, and of its methods how many arguments Temper gives at most."""
    for name in protocol.__annotations__:
        yield name, None
    for name, value in vars(protocol).items():
        if inspect.isfunction(value) and not name.startswith("_"):
            yield name, len(inspect.signature(value).parameters) - 1


def lacking(source: Path, protocol: type, among: str | None = None) -> dict[str, list[str]]:
    """Per class of a module (or of one name) what it lacks of a protocol."""
    classes = [node for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]
    return {
        one.name: [name for name, count in members(protocol) if not _has(one, name, count)]
        for one in classes
        if among in (None, one.name)
    }


def _has(one: ast.ClassDef, name: str, count: int | None) -> bool:
    for node in one.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return count is None
        if isinstance(node, ast.FunctionDef) and node.name == name:
            positional = len(node.args.posonlyargs) + len(node.args.args) - 1
            required = positional - len(node.args.defaults)
            return count is not None and required <= count <= positional
    return False


def carried(folder: Path) -> Path:
    """Source of the module that predicts, among those that travel with a model."""
    config = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["flavors"]["python_function"]["config"]
    return (folder / "code" / config["package"]).joinpath(*config["predictor"].split(".")).with_suffix(".py")


def sources(kind: str, registered: Path) -> dict[str, Path]:
    """The module that predicts, as registered before and as it would be registered now."""
    predictor = importlib.import_module(module_of(kind, "predictor")).Predictor
    return {"registered before": carried(registered / kind / "model"), "now": Path(inspect.getfile(predictor))}


@pytest.mark.parametrize("kind", list(PROTOCOLS))
def test_what_temper_calls_is_there_then_and_now(kind: str, registered: Path) -> None:
    for when, source in sources(kind, registered).items():
        assert lacking(source, PROTOCOLS[kind], "Predictor") == {"Predictor": []}, when
        for protocol in RESULTS.get(kind, []):
            assert [] in lacking(source, protocol).values(), f"{when}: no class is a {protocol.__name__}"


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_keeps_what_temper_calls_and_reads_of_it(kind: str, tmp_path: Path) -> None:
    """A method under another name is seen."""
    known = open_kind(kind)
    assert {*(known.answers or ())} <= {value for value in vars(wire_format).values() if isinstance(value, str)}
    protocol = PROTOCOLS.get(kind)
    assert (protocol is None) == (known.rescored_by == "predict")
    if protocol is not None:
        source = Path(inspect.getfile(importlib.import_module(module_of(kind, "predictor")).Predictor))
        assert lacking(source, protocol, "Predictor") == {"Predictor": []}
        called = next(name for name, count in members(protocol) if count is not None)
        renamed = tmp_path / "renamed.py"
        renamed.write_text(source.read_text(encoding="utf-8").replace(f"def {called}(", "def other("), "utf-8")
        assert lacking(renamed, protocol, "Predictor") == {"Predictor": [called]}


def test_a_rename_of_a_called_method_is_seen(registered: Path, tmp_path: Path) -> None:
    source = carried(registered / "masked" / "model").read_text(encoding="utf-8")
    renamed = tmp_path / "renamed.py"
    renamed.write_text(source.replace("def foretell(", "def score_hidden("), encoding="utf-8")
    assert lacking(renamed, wire_format.MaskedPredictor, "Predictor") == {"Predictor": ["foretell"]}


def test_the_error_of_a_turn_without_room_has_a_name_that_is_known(registered: Path) -> None:
    for when, source in sources("dialogue", registered).items():
        root = source
        while root.name != "tasks":
            root = root.parent
        texts = [path.read_text(encoding="utf-8") for path in root.rglob("*.py")]
        assert any(f"class {name}(" in text for name in wire_format.TOO_LONG for text in texts), when


def test_the_kinds_of_earlier_reports_are_still_known(registered: Path) -> None:
    for folder in registered.iterdir():
        facts = json.loads((folder / "run" / wire_format.REPORT).read_text(encoding="utf-8"))
        assert facts["kind"] == kind_of(folder) and open_kind(facts["kind"]).traits.content == facts["content"]


def test_the_signature_says_what_a_model_takes_and_gives(registered: Path) -> None:
    from tasks.tracking.signatures import signature

    for folder in registered.iterdir():
        facts = json.loads((folder / "run" / wire_format.REPORT).read_text(encoding="utf-8"))
        then = yaml.safe_load((folder / "model" / "MLmodel").read_text(encoding="utf-8"))["signature"]
        now = signature(facts).to_dict()
        assert [json.loads(then[side]) for side in ("inputs", "outputs")] == [
            json.loads(now[side]) for side in ("inputs", "outputs")
        ]
        if folder.name in COLUMNS:
            assert [column["name"] for column in json.loads(then["outputs"])] == COLUMNS[folder.name]


def test_tags_and_files_of_a_run_are_found_under_their_names(registered: Path) -> None:
    for folder in registered.iterdir():
        kept = json.loads((folder / "version.json").read_text(encoding="utf-8"))
        tags, run_tags = kept["tags"], kept["run_tags"]
        assert {
            wire_format.MODEL_DIGEST,
            wire_format.VERDICT,
            wire_format.TEST_EVALUATIONS,
            wire_format.DECISION,
        } <= set(tags)
        assert {wire_format.TRAINING, wire_format.TEST_SPLIT} <= set(run_tags)
        stages = {
            tag.removeprefix(wire_format.STAGE_DIGEST) for tag in tags if tag.startswith(wire_format.STAGE_DIGEST)
        }
        assert {"download", "split", "encode", "train", "evaluate"} <= stages
        facts = json.loads((folder / "run" / wire_format.REPORT).read_text(encoding="utf-8"))
        scores = {
            tag.removeprefix(wire_format.SCORE): float(value)
            for tag, value in tags.items()
            if tag.startswith(wire_format.SCORE)
        }
        assert scores == pytest.approx(facts["scores"])
        assert {"id", "part"} <= set(pd.read_parquet(folder / "run" / wire_format.FITTED))
        assert list((folder / "run" / wire_format.DECISIONS).glob(f"{folder.name}-1-*.json"))
        assert len(list((folder / "run").glob(f"*-evaluate/{wire_format.SAMPLES}"))) == 1


def test_kept_predictions_have_the_columns_that_a_comparison_reads(registered: Path) -> None:
    """A champion's own test of the same rows stands in for asking it again."""
    from tasks.kinds import outcomes

    for folder in registered.iterdir():
        (path,) = (folder / "run" / wire_format.PREDICTIONS).glob("*.parquet")
        table, facts = pd.read_parquet(path), _facts(folder)
        assert ("-" in path.stem) == open_kind(kind_of(folder)).traits.generates, (
            "of a generative model, how much it may write is in the name"
        )
        same = outcomes.align(table, table, kind_of(folder))
        assert len(outcomes.outcomes(same, kind_of(folder), _metric(folder.name), facts["labels"]).statistics) == len(
            table
        )


def _facts(folder: Path) -> Any:
    return json.loads((folder / "run" / wire_format.REPORT).read_text(encoding="utf-8"))


def kind_of(folder: Path) -> str:
    """Of the model in a folder of an archive."""
    return PAIRED.get(folder.name, folder.name)


def _metric(name: str) -> str:
    return (KINDS | NEWER)[name][3]
