"""Where rows come from: `download` in a recipe, pinned before it enters a key."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .added_rows import Extra
from .columns import Columns as Columns
from .dialogue_sources import CrosswozSource as CrosswozSource
from .dialogue_sources import Part as Part
from .dialogue_sources import SgdSource as SgdSource
from .fields import STRICT, Paths, Repo
from .image_sources import ImagesSource, TorchvisionSource
from .secrets import Address, Name, Sha256, refuse_secrets

Format = Literal["csv", "tsv", "jsonl", "lines", "conll", "parquet", "arrow"]
Separator = Annotated[str, Field(pattern=r"^[^\r\n\"]$")]
Escape = Annotated[str, Field(pattern=r"^[^\r\n\"\w\s]$")]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EmbeddedSource:
    """Rows that come with Temper."""

    kind: Literal["embedded"]
    """This kind of source."""
    name: Literal["reviews", "all_reviews", "digits", "hotel_dialogues", "hotel_pairs"] = "reviews"
    """Which set: 670 reviews written for Temper, these and 1,149 more, scikit-learn's 1,797 digits of 8 x 8 pixels, a
    few dozen dialogues of a hotel assistant with its searches, or each of their turns next to one from another."""
    extra: Extra = ()
    """Rows that Temper wrote, such as pseudo-labels, added for training alone: never validation or test rows."""


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
    extra: Extra = ()
    """Rows that Temper wrote, such as pseudo-labels, added for training alone: never validation or test rows."""

    @model_validator(mode="after")
    def _no_secret(self) -> "HubSource":
        refuse_secrets("", self.token)
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FileSource:
    """Local tables of the same columns: CSV, TSV, JSON, lines of a pattern, CoNLL, Parquet or Arrow, or archives."""

    kind: Literal["file"]
    """This kind of source."""
    path: Paths
    """The file, a pattern such as `data/*.csv`, or a list; relative paths start at TEMPER_DATA."""
    format: Format | None = None
    """How the file is read; when absent, by its ending. `lines` reads any text file by its `pattern`."""
    encoding: str = "utf-8"
    """Character encoding of text files; `detect` finds it out and states it in the summary."""
    header: tuple[str, ...] | None = None
    """Column names of a CSV or TSV file whose first line is already a row, and of a CoNLL file."""
    separator: Separator | None = None
    """The character between the fields of a CSV file; when absent a comma (a tab in TSV)."""
    quoting: bool = True
    """Whether double quotes group a field in CSV and TSV."""
    escape: Escape | None = None
    """The character before quotes that belong to a field, `\\` in exports of MySQL; when absent they are doubled."""
    pattern: str | None = None
    """Of the format `lines`: a regular expression that matches whole lines; its named groups are the columns."""
    member: Paths | None = None
    """The table inside a zip or tar archive: a path, a pattern such as `*.csv`, or a list; needed if there are more."""
    split_files: bool = False
    """Whether the name of a file, or else of its folder, gives the split of its rows: `train.csv`, `dev-00.jsonl`."""
    images: str | None = None
    """Folder at which the files start that `columns.image` names; when absent, the table's own. A relative path starts
    at TEMPER_DATA."""
    columns: Columns = Columns()
    """Which columns are read; `image` holds the bytes of image files, or their paths."""
    extra: Extra = ()
    """Rows that Temper wrote, such as pseudo-labels, added for training alone: never validation or test rows."""

    @model_validator(mode="after")
    def _one_split(self) -> "FileSource":
        _refuse_two_splits(self)
        if self.images is not None and self.columns.image is None:
            raise ValueError("images is read only with `columns.image`, the column that names files in it")
        _check_dialect(self)
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClassFilesSource:
    """One text file per label, one text a line; or one folder per label, one text a file."""

    kind: Literal["class_files"]
    """This kind of source."""
    files: Annotated[dict[str, Paths], Field(min_length=1)]
    """Label to file, or to a folder of .txt files, or a list of such; relative paths start at TEMPER_DATA."""
    encoding: str = "utf-8"
    """Character encoding of the files; `detect` finds it out and states it in the summary."""
    split_files: bool = False
    """Whether the folder above each place in `files`, or else its own name, gives the split: `train/good`."""
    extra: Extra = ()
    """Rows that Temper wrote, such as pseudo-labels, added for training alone: never validation or test rows."""

    @property
    def places(self) -> list[tuple[str, str]]:
        """Each file or folder with its label in front."""
        given = {label: (names,) if isinstance(names, str) else names for label, names in self.files.items()}
        return [(label, name) for label, names in given.items() for name in names]


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
    """How the file is read; when absent, by its ending. `lines` reads any text file by its `pattern`."""
    encoding: str = "utf-8"
    """Character encoding of text files; `detect` finds it out and states it in the summary."""
    header: tuple[str, ...] | None = None
    """Column names of a CSV or TSV file whose first line is already a row, and of a CoNLL file."""
    separator: Separator | None = None
    """The character between the fields of a CSV file; when absent a comma (a tab in TSV)."""
    quoting: bool = True
    """Whether double quotes group a field in CSV and TSV."""
    escape: Escape | None = None
    """The character before quotes that belong to a field, `\\` in exports of MySQL; when absent they are doubled."""
    pattern: str | None = None
    """Of the format `lines`: a regular expression that matches whole lines; its named groups are the columns."""
    member: Paths | None = None
    """The table inside a zip or tar archive: a path, a pattern such as `*.csv`, or a list; needed if there are more."""
    split_files: bool = False
    """Whether the name of a file, or else of its folder, gives the split of its rows: `train.csv`, `dev-00.jsonl`."""
    columns: Columns = Columns()
    """Which columns are read."""
    extra: Extra = ()
    """Rows that Temper wrote, such as pseudo-labels, added for training alone: never validation or test rows."""

    @model_validator(mode="after")
    def _no_secret(self) -> "UrlSource":
        for url, _ in self.places:
            refuse_secrets(url, self.token)
        _refuse_two_splits(self)
        _check_dialect(self)
        return self

    @property
    def places(self) -> list[tuple[str, str]]:
        """Each address with its checksum. Raises ValueError where there are more of one than of the other."""
        urls, sums = ((place,) if isinstance(place, str) else place for place in (self.url, self.sha256))
        if len(urls) != len(sums) or len(set(urls)) < len(urls):
            raise ValueError(f"url and sha256 go together: {len(set(urls))} different addresses, {len(sums)} checksums")
        return list(zip(urls, sums, strict=True))


Content = Literal["text", "messages", "image"]
Aim = Literal["label", "labels", "target", "tags", "rejected"] | None


def holds(source: "Source") -> tuple[Content, Aim]:
    """What a source's rows are about, and what of them is predicted; None: they have neither label nor target."""
    match source:
        case ImagesSource() | TorchvisionSource() | EmbeddedSource(name="digits"):
            return "image", "label"
        case SgdSource(pairs=True) | EmbeddedSource(name="hotel_pairs"):
            return "messages", "rejected"
        case CrosswozSource() | SgdSource() | EmbeddedSource(name="hotel_dialogues"):
            return "messages", None
        case HubSource() | FileSource() | UrlSource():
            columns = source.columns
            aim: Aim = "target" if columns.target else "label" if columns.label else None
            aim = "labels" if columns.labels else "rejected" if columns.is_preference else aim
            aim = "tags" if columns.is_tagged else aim
            return "image" if columns.image else "messages" if columns.is_dialogue else "text", aim
        case _:
            return "text", "label"


def kept_columns(source: "Source") -> tuple[str, ...]:
    """Columns next to Temper's own that a source's rows have."""
    columns = getattr(source, "columns", None)
    return tuple(getattr(source, "kept", ())) if columns is None else columns.keep


def added_rows(source: "Source") -> Extra:
    """What is added to a source's own rows; other sources than those of texts take none."""
    extra: Extra = getattr(source, "extra", ())
    return extra


def _refuse_two_splits(source: "FileSource | UrlSource") -> None:
    if source.columns.split_map and source.columns.split is None and not source.split_files:
        raise ValueError("columns.split_map is read with `columns.split` or `split_files`, whose names it maps")
    if source.split_files and source.columns.split is not None:
        raise ValueError("split_files and columns.split exclude each other: one of them names the split")


def _check_dialect(source: "FileSource | UrlSource") -> None:
    if source.escape is not None and source.escape == (source.separator or ","):
        raise ValueError(f"escape and separator are both {source.escape!r}; they are two characters")
    if source.pattern is None:
        return
    if source.format != "lines":
        raise ValueError("pattern is read of the format lines; set `format: lines`, or leave it out")
    try:
        names = re.compile(source.pattern).groupindex
    except (re.error, OverflowError) as error:
        raise ValueError(f"pattern is no regular expression: {error}") from None
    if not names:
        raise ValueError("pattern needs named groups, such as (?P<label>\\S+) (?P<text>.+)")


Source = Annotated[
    EmbeddedSource
    | HubSource
    | FileSource
    | ClassFilesSource
    | UrlSource
    | ImagesSource
    | TorchvisionSource
    | CrosswozSource
    | SgdSource,
    Field(discriminator="kind"),
]
