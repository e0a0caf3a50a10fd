"""Where rows come from: `download` in a recipe, pinned before it enters a key."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Repo
from .image_sources import ImagesSource, TorchvisionSource
from .secrets import Address, Name, Sha256, refuse_secrets

Format = Literal["csv", "tsv", "jsonl", "parquet", "arrow"]
Separator = Annotated[str, Field(pattern=r"^[^\r\n\"]$")]
Paths = str | Annotated[tuple[str, ...], Field(min_length=1)]
OWN = ("id", "text", "messages", "image", "file", "label", "target", "split", "group", "time")
"""Columns that Temper names itself; a kept column is called otherwise."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Columns:
    """Which columns of the source are the text, the label and, where there is one, the split."""

    text: str = "text"
    """Column with the text."""
    messages: str | None = None
    """Column with a dialogue, in place of a text: a list of messages in OpenAI's or ShareGPT's form, or its JSON."""
    label: str | None = "label"
    """Column with the label; null where rows have no classes, as it is with `messages` or `target`."""
    target: str | None = None
    """Column with what is to be foretold in place of a label: a text (seq2seq) or a number (regression)."""
    split: str | None = None
    """Column that names the given split (train, validation or test)."""
    group: str | None = None
    """Column of which equal values stay in one part (a writer, a user, a thread)."""
    time: str | None = None
    """Column with the moment of a row, for a split by time; ISO 8601 unless `time_format` says otherwise."""
    time_format: str | None = None
    """How `time` is written, as for strptime ("%d-%m-%Y %H:%M"); `s` or `ms` for seconds or milliseconds since 1970."""
    keep: tuple[str, ...] = ()
    """Further columns that are carried along, for expectations and slices."""
    label_names: tuple[str, ...] = ()
    """Names of integer labels 0, 1, …; Hub data sets that carry their own names need none."""

    @model_validator(mode="before")
    @classmethod
    def _without_label(cls, values: Any) -> Any:
        given = getattr(values, "kwargs", values)
        if isinstance(given, dict) and (given.get("messages") or given.get("target")):
            return {"label": None, **given}
        return values

    @model_validator(mode="after")
    def _coherent(self) -> "Columns":
        if self.label is not None and (other := self.messages or self.target):
            raise ValueError(f"label {self.label!r} and {'messages' if self.messages else 'target'} {other!r} exclude "
                             "each other; leave one out")  # fmt: skip
        if self.messages is not None and self.target is not None:
            raise ValueError("messages and target exclude each other: of a dialogue the model's own turns are foretold")
        if self.time_format is not None and self.time is None:
            raise ValueError("time_format is read only with `time`, the column that it describes")
        if self.time_format not in (None, "s", "ms"):
            _check_time_format(self.time_format)
        if taken := [name for name in self.keep if name in OWN]:
            raise ValueError(f"keep names {taken[0]!r}, as Temper calls a column of its own; rename it in the source")
        if len(set(self.keep)) < len(self.keep):
            raise ValueError(f"keep names a column twice: {', '.join(self.keep)}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EmbeddedSource:
    """Rows that come with Temper."""

    kind: Literal["embedded"]
    """This kind of source."""
    name: Literal["reviews", "digits", "hotel_dialogues"] = "reviews"
    """Which set: 670 reviews written for Temper, scikit-learn's 1,797 digits of 8 x 8 pixels, or a few dozen dialogues
    of a hotel assistant with its searches."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HubSource:
    """A data set of the Hugging Face Hub, at a commit."""

    kind: Literal["hub"]
    """This kind of source."""
    repo: Repo
    """Data set, as owner/name."""
    revision: str = "main"
    """Branch, tag or commit; the commit it stands for is what counts."""
    subset: str | None = None
    """Configuration of the data set, where it has several."""
    token: Name | None = None
    """Environment variable, or else Prefect Secret block, with the token; when absent HF_TOKEN, or the Hub's own."""
    columns: Columns = Columns()
    """Which columns are read."""

    @model_validator(mode="after")
    def _no_secret(self) -> "HubSource":
        refuse_secrets("", self.token)
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FileSource:
    """Local tables of the same columns: CSV, TSV, JSON lines, Parquet or Arrow, or an archive of such."""

    kind: Literal["file"]
    """This kind of source."""
    path: Paths
    """The file, a pattern such as `data/*.csv`, or a list; relative paths start at TEMPER_DATA."""
    format: Format | None = None
    """How the file is read; when absent, by its ending."""
    encoding: str = "utf-8"
    """Character encoding of CSV, TSV and JSON lines; `detect` finds it out and says so in the summary."""
    header: tuple[str, ...] | None = None
    """Column names of a CSV or TSV file whose first line is already a row."""
    separator: Separator | None = None
    """The character between the fields of a CSV file; when absent a comma (a tab in TSV)."""
    quoting: bool = True
    """Whether double quotes group a field in CSV and TSV."""
    member: Paths | None = None
    """The table inside a zip or tar archive: a path, a pattern such as `*.csv`, or a list; needed if there are more."""
    split_files: bool = False
    """Whether the name of a file, or else of its folder, gives the split of its rows: `train.csv`, `dev-00.jsonl`."""
    columns: Columns = Columns()
    """Which columns are read."""

    @model_validator(mode="after")
    def _one_split(self) -> "FileSource":
        _refuse_two_splits(self)
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClassFilesSource:
    """One text file per label, one text a line."""

    kind: Literal["class_files"]
    """This kind of source."""
    files: Annotated[dict[str, str], Field(min_length=1)]
    """Label to file; relative paths start at TEMPER_DATA."""
    encoding: str = "utf-8"
    """Character encoding of the files; `detect` finds it out and says so in the summary."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class UrlSource:
    """A table, or an archive with tables, behind an https address, with its checksum; or several of them."""

    kind: Literal["url"]
    """This kind of source."""
    url: Address | Annotated[tuple[Address, ...], Field(min_length=1)]
    """Address of the file, or a list."""
    sha256: Sha256 | Annotated[tuple[Sha256, ...], Field(min_length=1)]
    """Checksum that the file must have; of a list of addresses the list of theirs, in the same order."""
    token: Name | None = None
    """Environment variable, or else Prefect Secret block, with a bearer token for that host; never the token itself."""
    format: Format | None = None
    """How the file is read; when absent, by its ending."""
    encoding: str = "utf-8"
    """Character encoding of CSV, TSV and JSON lines; `detect` finds it out and says so in the summary."""
    header: tuple[str, ...] | None = None
    """Column names of a CSV or TSV file whose first line is already a row."""
    separator: Separator | None = None
    """The character between the fields of a CSV file; when absent a comma (a tab in TSV)."""
    quoting: bool = True
    """Whether double quotes group a field in CSV and TSV."""
    member: Paths | None = None
    """The table inside a zip or tar archive: a path, a pattern such as `*.csv`, or a list; needed if there are more."""
    split_files: bool = False
    """Whether the name of a file, or else of its folder, gives the split of its rows: `train.csv`, `dev-00.jsonl`."""
    columns: Columns = Columns()
    """Which columns are read."""

    @model_validator(mode="after")
    def _no_secret(self) -> "UrlSource":
        for url, _ in self.places:
            refuse_secrets(url, self.token)
        _refuse_two_splits(self)
        return self

    @property
    def places(self) -> list[tuple[str, str]]:
        """Each address with its checksum. Raises ValueError where there are more of one than of the other."""
        urls, sums = ((one,) if isinstance(one, str) else one for one in (self.url, self.sha256))
        if len(urls) != len(sums) or len(set(urls)) < len(urls):
            raise ValueError(f"url and sha256 go together: {len(set(urls))} different addresses, {len(sums)} checksums")
        return list(zip(urls, sums, strict=True))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CrosswozSource:
    """Dialogues about hotels, cut out of CrossWOZ's files, with the searches that the assistant made."""

    kind: Literal["crosswoz"]
    """This kind of source."""
    train: Paths
    """CrossWOZ's file or files (.json, or .json.zip) whose dialogues are for training; relative paths start at
    TEMPER_DATA."""
    test: Paths
    """The file or files whose dialogues are test rows."""
    hotels: str
    """CrossWOZ's hotel_db.json, on which searches are run."""


Content = Literal["text", "messages", "image"]
Aim = Literal["label", "target"] | None


def holds(source: "Source") -> tuple[Content, Aim]:
    """What a source's rows are about, and what of them is foretold; None: they have neither label nor target."""
    match source:
        case ImagesSource() | TorchvisionSource() | EmbeddedSource(name="digits"):
            return "image", "label"
        case CrosswozSource() | EmbeddedSource(name="hotel_dialogues"):
            return "messages", None
        case HubSource() | FileSource() | UrlSource():
            columns = source.columns
            aim: Aim = "target" if columns.target else "label" if columns.label else None
            return "messages" if columns.messages else "text", aim
        case _:
            return "text", "label"


def _refuse_two_splits(source: "FileSource | UrlSource") -> None:
    if source.split_files and source.columns.split is not None:
        raise ValueError("split_files and columns.split exclude each other: one of them names the split")


def _check_time_format(form: str) -> None:
    try:
        datetime.strptime("", form)
    except ValueError as error:
        if "%" not in form or "directive" in str(error) or "stray" in str(error):
            raise ValueError(f"time_format {form!r} is none; write it as for strptime, or s or ms") from None


Source = Annotated[
    EmbeddedSource
    | HubSource
    | FileSource
    | ClassFilesSource
    | UrlSource
    | ImagesSource
    | TorchvisionSource
    | CrosswozSource,
    Field(discriminator="kind"),
]
