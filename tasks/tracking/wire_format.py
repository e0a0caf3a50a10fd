"""The wire format: names by which Temper reads a registered version and calls the code that travels with it.

A registered model runs the code of the day it was registered (`temper_model_<digest>`), in the module layout of that
day. Temper never imports a module of it: it loads the model by mlflow.pyfunc and uses the names below, so these stay as
they are for as long as a version exists that has them. A new name stands next to its old one; both are read.
What only the carried code says to itself (served.py, the modules below it, encoding.json) may change with any version.
Parameters of the protocols are positional: their names are not part of the format.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

Message = dict[str, Any]
"""A turn of a dialogue, or a call in it, in OpenAI's form."""

# Tags of a registered version or model, and of the run of its training.
MODEL_DIGEST = "temper.model_digest"
"""Tag of a version: the digest of the trained model."""
VERDICT = "temper.verdict"
"""Tag of a version: its verdict, written last."""
STAGE_DIGEST = "temper.digest."
"""Prefix of a version's tags that hold the digests of what it was made of, by stage."""
TEST_EVALUATIONS = "temper.test_openings"
"""Tag of a version: how many models had been scored on its test rows when it was registered, itself included."""
SCORE = "temper.test."
"""Prefix of a version's tags that keep its test metrics."""
DECISION = "temper.decision"
"""Tag of a version: the last that was decided about it, in a word or two."""
DECISION_ENTRY = "temper.decision."
"""Prefix of a model's tags with its log, where its versions have no runs; the rest is the moment, so that they sort."""
TRAINING = "temper.training_key"
"""Tag of a run: the key of its training."""
TEST_SPLIT = "temper.test_split"
"""Tag of a run: digest of the test rows on which its model was scored."""
EXPORT_OF, EXPORT_ROUTE, EXPORT_GATE = "export.of", "export.route", "export.gate"
"""Tags of a version that is another one in another form: that one's number, the form, and what its gate came to."""
CHAMPION, CANDIDATE = "champion", "candidate"
"""Aliases of a model's versions."""

# Files of the run.
REPORT = "report.json"
"""The evaluation's facts: kind, content, labels, scores, baselines."""
RECIPE = "recipe.yaml"
"""The recipe, every value written out."""
REPORT_PAGES = "reports"
"""Folder of a run with the report of each of its versions, an HTML file named by the model and the version's number."""
PREDICTIONS = "predictions"
"""Folder of a run with the model's predictions, a file per test split, named by its digest and, of a generative model,
by how much it may write."""
FITTED = "rows/fitted.parquet"
"""Ids and parts of the rows that the model was fitted on (train) or chosen by (validation)."""
DECISIONS = "decisions"
"""Folder of a run with the decisions about its versions, a JSON file each."""
SAMPLES = "samples.json"
"""File in the folder of `evaluate`: sample rows with the model's predictions."""

# The logged model.
ARTIFACT = "model"
"""Name of the MLflow artifact that holds tokenizer, encoding, config.json and weights."""
TEXT, IMAGE, MESSAGES = "text", "image", "messages"
"""What a model takes. Images and messages are named so in its signature; a text is its unnamed column."""
TEXT_PAIR = "text_pair"
"""The second text of a pair; in the signature of a model that takes pairs both texts are named."""
LABEL, PROBABILITY, PROBABILITY_OF = "label", "probability", "probability of "
"""Columns of a classifier's predictions; the last is a prefix of one for each class."""
VALUE, WRITTEN, FILLED, ENTITIES, LABELS = "value", "written", "filled", "entities", "labels"
"""Columns of the predictions of a regression model, an encoder-decoder, a masked language model, one that finds
entities and one that predicts any number of labels."""
TOO_LONG = ("TooLongError",)
"""Names of the class, a ValueError, that a dialogue model raises where a turn does not fit its length."""


class Served(Protocol):
    """What `unwrap_python_model()` gives of a registered model."""

    predictor: Any
    """One of those below, or what a classifier or regression model has, of which only `predict` is asked."""


class WrittenText(Protocol):
    """A text that a model generated, and whether it ended it itself."""

    text: str
    ended: bool


class WrittenTurn(Protocol):
    """A turn that a model generated, and whether it ended it itself."""

    message: Message
    ended: bool


class TextWriter(Protocol):
    """The predictor of an encoder-decoder."""

    def write(self, texts: Sequence[str], batch_size: int, longest: int, /) -> Sequence[WrittenText]:
        """What it writes for each text, of at most `longest` tokens."""


class HiddenTokens(Protocol):
    """Hidden tokens per row [rows]: how many there are, how many were the likeliest, and the summed loss in nats."""

    tokens: Any
    right: Any
    losses: Any


class TextEncoding(Protocol):
    """How texts become token ids."""

    def encode(self, tokenizer: Any, texts: Sequence[str], /) -> Any:
        """Token ids, as the predictor takes them."""


class MaskedPredictor(Protocol):
    """The predictor of a masked language model."""

    encoding: TextEncoding
    tokenizer: Any

    def foretell(self, encoded: Any, ids: Sequence[str], batch_size: int, /) -> HiddenTokens:
        """How rows with these ids fare when tokens are hidden as in validation."""


class Tagger(Protocol):
    """The predictor of a model that finds entities."""

    def tag(self, texts: Sequence[str], batch_size: int, /) -> Sequence[str]:
        """The entities of each row, as JSON: a list of objects with start, end, label and text."""


class Comparer(Protocol):
    """The predictor of a dialogue model that was trained on preferences, next to what DialoguePredictor has."""

    def compare(
        self, dialogues: Sequence[Sequence[dict[str, Any]]], rejected: Sequence[dict[str, Any]], batch_size: int, /
    ) -> Any:
        """By how much the log-probability of each dialogue's last turn is above that of the rejected one."""


class DialoguePredictor(Protocol):
    """The predictor of a dialogue model."""

    def prompt(self, messages: Sequence[Message], /) -> list[int]:
        """The ids that the model is given. Raises ValueError, of a class of TOO_LONG where there is no room."""

    def write(
        self, dialogues: Sequence[Sequence[Message]], batch_size: int = ..., longest: int = ..., /
    ) -> Sequence[WrittenTurn]:
        """The next turn of each dialogue, of at most `longest` tokens."""

    def stream(self, messages: Sequence[Message], longest: int, /) -> Iterator[str]:
        """The next turn's text, piece by piece."""

    def may_be_call(self, text: str, /) -> bool:
        """Whether what is written so far may become a call of a tool."""

    def read(self, text: str, messages: Sequence[Message] = ..., /) -> Message:
        """A written turn's text as a message; messages: the dialogue before it, whose own tools it may call."""

    def answers(self, call: Message, /) -> list[Message]:
        """What a turn's calls of tools give: tool messages."""


def entry_points(predictor: DialoguePredictor) -> dict[str, str]:
    """A dialogue model's tools that a Python function answers, each with its `module:function`; models that were
    registered before there were such tools have no attribute of this name."""
    return dict(getattr(predictor, "entry_points", {}))
