"""The JSON documents that several rooms read: an artifact's manifest, a report, what a model predicts otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict


class Marks(TypedDict):
    """What the file system states about a file."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class FileEntry(Marks):
    """A file of an artifact, as the manifest has it."""

    sha256: str


Opens = Mapping[str, tuple[str, ...]]
"""Per upstream artifact the files that a stage reads."""


class Reference(TypedDict):
    """An upstream artifact, as the manifest has it."""

    stage: str
    key: str
    digest: str


class Identity(TypedDict):
    """What a stage's output depends on; the key is its digest (see store/identity.py)."""

    format: int
    python: str
    section: object
    inputs: Mapping[str, Mapping[str, str]]
    code: Mapping[str, str]
    libraries: Mapping[str, str]


class Changed(TypedDict):
    """Rows that a model predicts better (fixed) and worse (broken) than another, with some of each: their columns, and
    what both predict. unknown: see kinds/outcomes.py."""

    fixed: int
    broken: int
    examples: Mapping[str, Sequence[Mapping[str, Any]]]
    unknown: NotRequired[Sequence[str]]


class SampleRow(TypedDict, total=False):
    """A test row as a report keeps it: what the model is given, under the name of its content (a text or a pair of
    texts, an image in base64, messages or a whole request), and its prediction."""

    id: str
    text: str | Mapping[str, str]
    image: str
    messages: Any
    answer: Any


class ReportFacts(TypedDict):
    """What report.json states of every model; kinds add what else they measure. scores: by name, of the test rows, with
    intervals; shown: the names that the terminal shows; baselines: their scores."""

    kind: str
    content: str
    labels: list[str]
    rows: int
    confidence: float
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    shown: list[str]
    baselines: dict[str, dict[str, float]]
    pairs: NotRequired[bool]


class Making(TypedDict):
    """How long a stage took, when it ended, in seconds since 1970, and with how many threads of torch."""

    seconds: float
    at: int
    threads: NotRequired[int]


class About(TypedDict):
    """What a stage states about its artifact. auxiliary: what it asked of the store while it worked. section: all
    values, defaults included."""

    identity: Identity
    inputs: Mapping[str, Reference]
    auxiliary: NotRequired[Mapping[str, Reference]]
    section: Mapping[str, Any]
    rows: Mapping[str, int]
    made: Making
    provenance: NotRequired[Mapping[str, object]]


class Manifest(About):
    """What lies in an artifact's directory (files: paths below it) and what made it."""

    format: int
    stage: str
    key: str
    digest: str
    files: Mapping[str, FileEntry]
