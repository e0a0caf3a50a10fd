"""The protocol of a kind of task: what the stages, the registry and the commands ask of its folder.

A kind is a folder with the modules below, each opened by its name in `encode.kind` (`open_kind`). A stage's key has
the code that it reaches in its recipe's own kind, and of no other (see tasks/store/identity.py); hence a module per
stage, so that a change of a report changes no encoding.

| module | asked for by | holds |
|---|---|---|
| spec | commands, registry | `SPECS`, a Kind by name: names, columns and pages; imports nothing heavy |
| encode | encode | `encode_rows`, an Encoder |
| training | train, evaluate | `open_training`: the Training of a folder |
| report | evaluate, `temper trace` | `evaluate` and `predict_row`, a Reporter |
| reference | train, where `Kind.reference` | what training is held to, see referee.py |
| view | `temper mask`, `temper trace` | `open_view`: encoded rows for people, where these are tokens |
| inspected | `temper inspect`, where `Kind.inspected` | one row and what is predicted, an Inspector |
| outcomes | register, `temper compare` | what a paired test compares, an Outcome |
| detect | `temper init` | `detect`, a Detector: what the kind makes of data that nobody has described |
| predictor | the registered model | `Predictor`; the module travels with the model |
"""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from configs.encodings import Traits
from configs.kinds import present_kind, traits_of

if TYPE_CHECKING:
    import pandas as pd

    from configs.schema import Evaluate, Train

    from ..artifact import Artifact
    from ..autodetect.proposal import Proposal, Undescribed
    from ..learn.fit import Feed
    from ..learn.metrics import Ids
    from ..learn.phases import Layout
    from ..text.token_view import View
    from .classification_report import ScoredRow

FILE = "encoding.json"


@dataclass(frozen=True)
class Kind:
    """What is known of a kind without loading torch.

    noun: what a model of it is called. libraries: what its encoding depends on apart from the code. requirements:
    packages that its registered models need next to torch and transformers. answers: columns of a prediction with their
    types, in order (string, double), behind which a kind that reports labels has `probability of X` for each; None
    where they are the classes' (label, probability, `probability of X`).
    rescored_by: the function of tracking/rescoring_program.py that asks a registered model again; rescored: its
    columns, each with the name that predictions have. chats: whether `temper chat` talks to it. masks: whether it
    predicts for texts with a mask alone. reference: whether training is held to a reference model. tokens: whether its
    rows are tokens, as `temper mask` shows. starter: what `temper init --kind` states of the recipe that it writes;
    empty where the kind cannot be asked for by its name. exports: whether its predictor computes by one pass of a net
    (`inputs`, `scores` and `net`, see runtime/net.py), so that `temper export` can give that net another form. plain:
    transformers' class that reads the model's folder and answers alone; empty where what it gives is no answer yet.
    inspected: whether `temper inspect` asks its module `inspected`; kinds with classes are asked their report.
    """

    traits: Traits
    noun: str
    libraries: tuple[str, ...]
    requirements: tuple[str, ...]
    answers: Mapping[str, str] | None = None
    rescored_by: str = "predict"
    rescored: tuple[tuple[str, str], ...] = (("label", "predicted"),)
    chats: bool = False
    masks: bool = False
    reference: bool = False
    tokens: bool = True
    starter: str = ""
    exports: bool = False
    plain: str = ""
    inspected: bool = False


class StageOutput(Protocol):
    """Where a stage writes and how it reports; see tasks/output.py."""

    @property
    def data(self) -> Path:
        """What is digested."""

    @property
    def records(self) -> Path:
        """What a person reads."""

    @property
    def log(self) -> Any:
        """Takes a line for the log."""

    @property
    def progress(self) -> Any:
        """Takes how much is done, of how much, and what is being done."""


@dataclass(frozen=True)
class EncodedRows:
    """What encoding came to: the ids of each part's rows, the dropped rows (id, reason), and a page about both.

    hint: what would fix the drops, as words that end a sentence; shown: the column that dropped rows are shown by.
    """

    ids: dict[str, list[str]]
    dropped: "pd.DataFrame"
    page: str
    shown: str | None = None
    hint: str = ""


class Encoder(Protocol):
    """Module `encode` of a kind."""

    def encode_rows(
        self, out: StageOutput, section: Any, tables: "dict[str, pd.DataFrame]", splits: "Artifact"
    ) -> EncodedRows:
        """Write parts, encoding.json and what travels with the model. Raises DataError, MaskError."""


class Part(Protocol):
    """Encoded rows: their ids and class ids."""

    @property
    def ids(self) -> list[str]:
        """Row ids."""

    @property
    def class_ids(self) -> "Ids":
        """Class ids [rows]."""

    def __len__(self) -> int: ...


class Training(Protocol):
    """What `open_training` of a kind's module `training` gives for an encoded artifact's or a model's files."""

    @property
    def preprocessing(self) -> tuple[str, ...]:
        """Files that travel from an encoded artifact into the model's."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In class-id order."""

    @property
    def kind(self) -> str:
        """As in encode.kind."""

    def read(self, path: Path) -> Part:
        """One encoded part."""

    def model(self, section: "Train", train: Part) -> Any:
        """What training starts from; the rows it will see decide balanced class weights."""

    def layout(self, model: Any) -> "Layout":
        """The model's parts as its users name them."""

    def feed(self, parts: Mapping[str, Part], seed: int = 0) -> "Feed":
        """What the Trainer takes; seed: of what is drawn again in each epoch."""

    def save(self, model: Any, section: "Train", folder: Path) -> None:
        """Write the trained model."""

    def finish(self, validation: Part, folder: Path) -> None:
        """Write what the saved model needs that the validation rows decide, such as thresholds."""

    def draw_inputs(self, model: Any, train: Part, section: "Train", folder: Path) -> None:
        """Draw what training shows the model that its rows do not, if anything."""


class Reporter(Protocol):
    """Module `report` of a kind."""

    def evaluate(
        self, out: StageOutput, section: "Evaluate", folder: Path, encoded: "Artifact", splits: "Artifact"
    ) -> tuple[int, str]:
        """Score the model in `folder` once on the test rows, write the report; rows scored, and a page. Raises
        DataError."""

    def predict_row(self, folder: Path, row: "pd.DataFrame", images: Path) -> Mapping[str, object]:
        """What the model in `folder` predicts for a table's only row, by column; `images`: the images.parquet."""


class ClassReporter(Reporter, Protocol):
    """Module `report` of a kind that predicts one of a few labels."""

    def score_row(self, folder: Path, row: "pd.DataFrame", images: Path) -> "ScoredRow":
        """Probabilities of a table's only row by the model in `folder`."""


class Detector(Protocol):
    """Module `detect` of a kind."""

    def detect(self, data: "Undescribed") -> "Proposal | None":
        """What the kind makes of data; None where it makes nothing of them."""


def open_kind(kind: str) -> Kind:
    """The kind of this name in `encode.kind`."""
    return cast(Kind, _module(kind, "spec").SPECS[present_kind(kind)])


def open_encoder(kind: str) -> Encoder:
    """How rows of a kind are encoded."""
    return cast(Encoder, _module(kind, "encode"))


def open_training(folder: Path) -> Training:
    """What trains on an encoded artifact's or a model's files, as their encoding.json says."""
    return cast(Training, _module(kind_in(folder), "training").open_training(folder))


def open_reporter(kind: str) -> Reporter:
    """How models of a kind are scored."""
    return cast(Reporter, _module(kind, "report"))


def open_class_reporter(folder: Path) -> ClassReporter:
    """How the model in a folder, which predicts classes, is scored."""
    return cast(ClassReporter, _module(kind_in(folder), "report"))


def open_view(folder: Path) -> "View":
    """How an encoded artifact's rows are shown, of kinds whose rows are tokens."""
    return cast("View", _module(kind_in(folder), "view").open_view(folder))


def open_detector(kind: str) -> Detector:
    """What a kind makes of data that nobody has described."""
    return cast(Detector, _module(kind, "detect"))


def kind_in(folder: Path) -> str:
    """The kind of an encoded artifact's or a model's files, as it is called now."""
    return present_kind(str(json.loads((folder / FILE).read_text(encoding="utf-8"))["kind"]))


def module_of(kind: str, part: str) -> str:
    """The dotted name of one of a kind's modules."""
    return f"{__package__}.{traits_of(kind).folder}.{part}"


def _module(kind: str, part: str) -> Any:
    return importlib.import_module(module_of(kind, part))
