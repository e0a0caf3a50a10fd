"""How rows become model input: `encode` in a recipe, a section for each kind of task."""

from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Share, refuse_unread
from .models import TokenizerSource
from .scores import Score
from .tools import HotelTable, Tool, ToolFile, require_other_names

Padding = Literal["longest", "max_length"]
Truncation = Literal["longest_first", "second_only"]
TEMPLATES = ("auto", "own", "chatml")
"""Values of a dialogue's `template` that are no files."""


class Traits(NamedTuple):
    """What a recipe's checks, and the reports, need to know of a kind of task.

    folder: its package below tasks/kinds. content: the column that it reads (text, messages, image); truth: the one
    that it learns to predict; None where that lies in the content. scores: what its models are judged by; baselines:
    what they can be compared with, which is what they are compared with where a recipe is silent. classes: whether it
    predicts one of a few labels. generates: whether its models write turns or texts. pairs: whether it reads pairs of
    texts (download.columns.text_pair) as well, by an option `truncation`.
    """

    folder: str
    content: str
    truth: str | None
    scores: tuple[Score, ...]
    baselines: tuple[str, ...]
    classes: bool = False
    generates: bool = False
    pairs: bool = False


ACCURACY: tuple[Score, ...] = ("accuracy", "macro_f1")
"""What predictions of a few labels are judged by."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LabelWordEncode:
    """tokens(text) + [end of text] + [label word's first token]; only the last is supervised."""

    kind: Literal["label_word"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "text_classification", "text", "label", ACCURACY, ("majority", "tfidf"), classes=True
    )
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    max_length: Annotated[int, Field(ge=3)] = 32
    """Longest row in tokens; of a longer one the last tokens are kept."""
    max_dropped: Share = 0.5
    """Largest share of the rows that may be dropped here (too long, nothing to learn from) before the run stops."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""
    pad_token_id: Annotated[int, Field(ge=0)] | None = None
    """Id of padding tokens (masked by length, never by id); when absent the tokenizer's pad, else its end of text."""
    label_words: dict[str, str] | None = None
    """Label to the word the model generates; when absent the label itself."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClassifierEncode:
    """The tokenizer's own form for one text ([CLS] text [SEP]) or a pair of texts; the label is a class id."""

    kind: Literal["classifier"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "text_classification", "text", "label", ACCURACY, ("majority", "tfidf"), classes=True, pairs=True
    )
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    max_length: Annotated[int, Field(ge=3)] = 512
    """Longest row in tokens, special tokens included; of a longer text the first tokens are kept."""
    truncation: Truncation = "longest_first"
    """Of a pair of texts that is longer: take tokens from the end of the longer text, or of the second one only."""
    max_dropped: Share = 0.05
    """Largest share of the rows that may be dropped here (pairs of which truncation would leave one text) before the
    run stops."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DialogueEncode:
    """Dialogues through a chat template; supervised is what the model generates, its end-of-turn token included."""

    kind: Literal["dialogue"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "dialogue",
        "messages",
        None,
        (
            "argument_f1",
            "call_exact",
            "call_recall",
            "call_precision",
            "end_of_turn",
            "reply_bleu",
            "reply_rouge_l",
            "loss",
        ),
        ("nearest",),
        generates=True,
    )
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    template: str = "auto"
    """`own`: the tokenizer's chat template; `chatml`: the built-in one; `auto`: its own where it has one; else a file
    with a Jinja template, whose relative path starts at TEMPER_DATA."""
    template_name: str | None = None
    """Which of the tokenizer's own named templates; when absent `tool_use` where there are tools, else the default."""
    template_options: dict[str, bool | int | float | str] | None = None
    """Handed to the template in training, evaluation and chat alike, such as {enable_thinking: false}."""
    max_length: Annotated[int, Field(ge=8)] = 1024
    """Longest row in tokens; of a longer dialogue the oldest turns go, the system turn stays."""
    max_dropped: Share = 0.5
    """Largest share of the rows that may be dropped here (too long, nothing to learn from) before the run stops."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""
    packing: bool = False
    """Lay several dialogues into one row of up to max_length tokens, none of which sees another."""
    system: str | None = None
    """System turn of dialogues that have none."""
    tools: tuple[Tool, ...] | Annotated[ToolFile | HotelTable, Field(discriminator="kind")] | None = None
    """What the model may call; the template describes how. A list of tools, a file of definitions, or hotels."""
    train_on: Annotated[tuple[Literal["assistant", "call", "thoughts"], ...], Field(min_length=1)] = (
        "assistant",
        "call",
        "thoughts",
    )
    """What of the model's own turns carries loss: replies, calls of tools, thoughts (reasoning_content) before them.
    Thoughts inline in a content (<think> … </think>) are part of the reply, unless the template takes them apart."""
    turns: Literal["all", "last"] = "all"
    """All of these turns of a dialogue, or the last one."""

    @model_validator(mode="after")
    def _named(self) -> "DialogueEncode":
        if self.template not in ("auto", "own"):
            refuse_unread(self, ("template_name",), f"with template: {self.template}")
        if isinstance(self.tools, tuple):
            require_other_names([tool.name for tool in self.tools])
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Seq2SeqEncode:
    """The text is read by an encoder, the target is written by a decoder (T5 family)."""

    kind: Literal["seq2seq"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "seq2seq", "text", "target", ("exact", "bleu", "rouge_l", "loss"), ("nearest",), generates=True
    )
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    prefix: str = ""
    """Stands before each text, such as "translate English to German: "."""
    max_length: Annotated[int, Field(ge=3)] = 256
    """Longest text in tokens, its end token included; of a longer one the first tokens are kept."""
    max_target: Annotated[int, Field(ge=2)] = 128
    """Longest target in tokens, its end token included; rows with a longer one are dropped."""
    max_dropped: Share = 0.5
    """Largest share of the rows that may be dropped here (too long, nothing to learn from) before the run stops."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RegressionEncode:
    """The tokenizer's own form for one text or a pair; the target is a number, normalised by the training rows."""

    kind: Literal["regression"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "regression", "text", "target", ("rmse", "mae", "r2", "pearson", "spearman"), ("mean", "tfidf"), pairs=True
    )
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    max_length: Annotated[int, Field(ge=3)] = 512
    """Longest row in tokens, special tokens included; of a longer text the first tokens are kept."""
    truncation: Truncation = "longest_first"
    """Of a pair of texts that is longer: take tokens from the end of the longer text, or of the second one only."""
    thousands: Literal[",", ".", " ", "'", "_"] | None = None
    """What groups the digits of the targets by three (`1,234`); when absent such targets are no numbers."""
    decimal: Literal[".", ","] = "."
    """What stands before the fraction of the targets (`0,5`)."""
    max_dropped: Share = 0.05
    """Largest share of the rows that may be dropped, since their target cannot be read, before the run stops."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""

    @model_validator(mode="after")
    def _two_marks(self) -> "RegressionEncode":
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both {self.decimal!r}; they must differ")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MaskedEncode:
    """Some tokens of a text are hidden and predicted (BERT's masked language modelling)."""

    kind: Literal["masked"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits("masked_lm", "text", None, ("perplexity", "accuracy", "loss"), ("majority",))
    tokenizer: TokenizerSource
    """Where the tokenizer comes from; it needs a mask token."""
    max_length: Annotated[int, Field(ge=3)] = 512
    """Longest row in tokens, special tokens included; of a longer text the first tokens are kept."""
    max_dropped: Share = 0.5
    """Largest share of the rows that may be dropped here (too long, nothing to learn from) before the run stops."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of the tokens that are predicted: of these 80 % become the mask, 10 % another token, 10 % stay."""
