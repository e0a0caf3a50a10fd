"""Where rows come from: `download` in a recipe, pinned before it enters a key."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from .fields import STRICT, Repo

Format = Literal["csv", "tsv", "jsonl", "parquet"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Columns:
    """Which columns of the source are the text, the label and, where there is one, the split."""

    text: str = "text"
    """Column with the text."""
    label: str = "label"
    """Column with the label."""
    split: str | None = None
    """Column that names the given split (train, validation or test)."""
    group: str | None = None
    """Column of which equal values stay in one part (a writer, a user, a thread)."""
    time: str | None = None
    """Column with the moment of a row, for a split by time."""
    keep: tuple[str, ...] = ()
    """Further columns that are carried along, for expectations and slices."""
    label_names: tuple[str, ...] = ()
    """Names of integer labels 0, 1, …; Hub data sets that carry their own names need none."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EmbeddedSource:
    """Rows that come with Temper."""

    kind: Literal["embedded"]
    """This kind of source."""
    name: Literal["reviews"] = "reviews"
    """Which embedded set."""


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
    columns: Columns = Columns()
    """Which columns are read."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FileSource:
    """One local table: CSV, TSV, JSON lines or Parquet."""

    kind: Literal["file"]
    """This kind of source."""
    path: str
    """The file; a relative path starts at TEMPER_DATA."""
    format: Format | None = None
    """How the file is read; when absent, by its ending."""
    encoding: str = "utf-8"
    """Character encoding of CSV, TSV and JSON lines."""
    header: tuple[str, ...] | None = None
    """Column names of a CSV or TSV file whose first line is already a row."""
    quoting: bool = True
    """Whether double quotes group a field in CSV and TSV."""
    columns: Columns = Columns()
    """Which columns are read."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClassFilesSource:
    """One text file per label, one text a line."""

    kind: Literal["class_files"]
    """This kind of source."""
    files: Annotated[dict[str, str], Field(min_length=1)]
    """Label to file; relative paths start at TEMPER_DATA."""
    encoding: str = "utf-8"
    """Character encoding of the files."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class UrlSource:
    """One table behind an https address, with its checksum."""

    kind: Literal["url"]
    """This kind of source."""
    url: Annotated[str, Field(pattern=r"^https?://")]
    """Address of the file."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Checksum that the file must have."""
    format: Format | None = None
    """How the file is read; when absent, by the address's ending."""
    encoding: str = "utf-8"
    """Character encoding of CSV, TSV and JSON lines."""
    header: tuple[str, ...] | None = None
    """Column names of a CSV or TSV file whose first line is already a row."""
    quoting: bool = True
    """Whether double quotes group a field in CSV and TSV."""
    columns: Columns = Columns()
    """Which columns are read."""


Source = Annotated[EmbeddedSource | HubSource | FileSource | ClassFilesSource | UrlSource, Field(discriminator="kind")]
