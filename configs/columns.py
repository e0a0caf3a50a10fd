"""Which columns of a source are what: `download.columns` in a recipe."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, refuse_unread

OWN = (
    "id",
    "text",
    "text_pair",
    "messages",
    "image",
    "file",
    "label",
    "labels",
    "target",
    "tags",
    "rejected",
    "split",
    "group",
    "time",
    "made_by",
)
"""Columns that Temper names itself; a kept column is called otherwise."""
Scheme = Literal["iob2", "iob1", "bioes"]
IN_PLACE_OF_A_LABEL = ("messages", "completion", "chosen", "target", "tags", "spans", "labels")
"""Columns next to which there is no label."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Columns:
    """Which columns of the source are the text, the label and, where there is one, the split."""

    text: str = "text"
    """Column with the text."""
    text_pair: str | None = None
    """Column with a second text, where a row is a pair of texts (premise and hypothesis, two sentences to compare)."""
    messages: str | None = None
    """Column with a dialogue, in place of a text: a list of messages in OpenAI's or ShareGPT's form, or its JSON."""
    prompt: str | tuple[str, ...] | None = None
    """Column, or columns, with what the user says, in place of `messages`; several texts follow one another."""
    completion: str | None = None
    """Column with what the assistant replies to `prompt`: a dialogue of two turns."""
    chosen: str | None = None
    """Column with the better of two replies to `prompt`, or without `prompt` the dialogue that ends in it."""
    rejected: str | None = None
    """Column with the worse of the two replies, in the same form; both dialogues are the same up to the reply."""
    tools: str | None = None
    """Column with a dialogue's own tools as JSON schemas; when absent `tools` or `functions`, where there is one."""
    system: str | None = None
    """Column with a dialogue's system text; when absent `system` or `system_prompt`, where there is one."""
    ignore: tuple[str, ...] = ()
    """Keys of messages and columns next to dialogues that are left out, though they may change what is trained."""
    image: str | None = None
    """Of a Hub data set: column with images, in place of a text."""
    label: str | None = "label"
    """Column with the label; null where rows have no classes, as it is with `messages` or `target`."""
    labels: str | tuple[str, ...] | None = None
    """Column with any number of labels per row, in place of `label`: lists, the text of lists, or texts that
    `label_separator` divides; or two or more columns of 0 and 1, each named as its label."""
    label_separator: Annotated[str, Field(min_length=1)] | None = None
    """What stands between the labels of a text in `labels`, such as a comma; null where they are lists."""
    target: str | None = None
    """Column with what is to be predicted in place of a label: a text (seq2seq) or a number (regression)."""
    tags: str | None = None
    """Column with a tag for each word of `tokens` (O, B-person), in place of a label: a list or with spaces between."""
    tokens: str = "tokens"
    """Column with the words that have `tags`, in place of a text: a list, or with spaces between."""
    scheme: Scheme | None = None
    """How `tags` mark where entities begin and end; when absent the tags decide, and the summary names it."""
    spans: str | None = None
    """Column with the entities in a text, in place of a label: a list of {start, end, label}, in characters."""
    split: str | None = None
    """Column that names the given split (train, validation or test)."""
    split_map: dict[str, Literal["train", "validation", "test"]] = Field(default_factory=dict)
    """Value of `split` (or with `split_files` name of a file, without its ending) to train, validation or test."""
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
    label_map: dict[str, str] = Field(default_factory=dict)
    """Spelling of a label (of `tags` and `spans` of a type, without B- and I-) to the label that is meant:
    `{"Bad ": bad, Bad: bad}`; others stay."""

    @model_validator(mode="before")
    @classmethod
    def _without_label(cls, values: Any) -> Any:
        given = getattr(values, "kwargs", values)
        if isinstance(given, dict) and any(given.get(name) for name in IN_PLACE_OF_A_LABEL):
            return {"label": None, **given}
        return values

    @model_validator(mode="after")
    def _coherent(self) -> "Columns":
        if self.label_map and self.label is None and self.labels is None and not self.is_tagged:
            raise ValueError("label_map is read only with label, labels, tags or spans, whose spellings it maps")
        self._check_pair()
        self._check_labels()
        self._check_dialogue()
        self._check_aims()
        if self.is_dialogue and self.target is not None:
            raise ValueError(
                "messages and target exclude each other: of a dialogue the model's own turns are predicted"
            )
        if self.time_format is not None and self.time is None:
            raise ValueError("time_format is read only with `time`, the column that it describes")
        if self.time_format not in (None, "s", "ms"):
            _check_time_format(self.time_format)
        if taken := [name for name in self.keep if name in OWN]:
            raise ValueError(f"keep names {taken[0]!r}, as Temper calls a column of its own; rename it in the source")
        if len(set(self.keep)) < len(self.keep):
            raise ValueError(f"keep names a column twice: {', '.join(self.keep)}")
        return self

    def _check_aims(self) -> None:
        given = {name: getattr(self, name) for name in IN_PLACE_OF_A_LABEL if getattr(self, name)}
        what, other = next(iter(given.items()), ("", ""))
        if self.label is not None and given:
            raise ValueError(f"label {self.label!r} and {what} {other!r} exclude each other; leave one out")
        if self.image and given:
            raise ValueError(f"image {self.image!r} and {other!r} exclude each other; images have a label")
        if (self.is_tagged or self.labels) and len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; leave all but one out")
        if self.tags is None:
            refuse_unread(self, ("tokens", "scheme"), "without tags", "columns.")
        else:
            refuse_unread(self, ("text",), "with tags, whose words are those of columns.tokens", "columns.")

    def _check_labels(self) -> None:
        if not isinstance(self.labels, str):
            refuse_unread(self, ("label_separator",), "without one column of labels", "columns.")
        if isinstance(self.labels, tuple):
            refuse_unread(self, ("label_names",), "with labels in columns of their own names", "columns.")
            if len(set(self.labels)) < max(len(self.labels), 2):
                raise ValueError(f"labels must name one column, or two or more different ones, got {list(self.labels)}")

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of `labels`."""
        return (self.labels,) if isinstance(self.labels, str) else self.labels or ()

    def _check_pair(self) -> None:
        others = (self.messages, self.completion, self.chosen, self.image, self.tags)
        if self.text_pair is not None and (other := next(filter(None, others), None)):
            raise ValueError(f"text_pair {self.text_pair!r} and {other!r} exclude each other; a pair has two texts")
        if self.text_pair == self.text:
            raise ValueError(f"text and text_pair are both {self.text!r}; a pair has two columns")

    def _check_dialogue(self) -> None:
        if (self.chosen is None) != (self.rejected is None):
            raise ValueError("chosen and rejected go together: the better and the worse of two replies")
        if self.chosen is not None and (other := self.messages or self.completion):
            raise ValueError(f"chosen {self.chosen!r} and {other!r} exclude each other; a row has two replies, or one")
        if self.chosen is not None and self.chosen == self.rejected:
            raise ValueError(f"chosen and rejected are both {self.chosen!r}; two replies have two columns")
        if self.chosen is None and (self.prompt is None) != (self.completion is None):
            raise ValueError("prompt and completion go together: what the user says, and what the assistant replies")
        if self.messages is not None and (self.completion is not None or self.prompt is not None):
            raise ValueError("messages and prompt exclude each other: a row holds a whole dialogue, or two turns")
        if not self.is_dialogue:
            refuse_unread(self, ("tools", "system", "ignore"), "without messages or prompt", "columns.")

    @property
    def is_dialogue(self) -> bool:
        """Whether a row holds a dialogue."""
        return self.messages is not None or self.completion is not None or self.is_preference

    @property
    def is_preference(self) -> bool:
        """Whether a row holds two replies to one prompt, of which one is better."""
        return self.chosen is not None

    @property
    def is_tagged(self) -> bool:
        """Whether words or spans of a row's text are tagged."""
        return self.tags is not None or self.spans is not None

    @property
    def prompts(self) -> tuple[str, ...]:
        """The columns of `prompt`."""
        return (self.prompt,) if isinstance(self.prompt, str) else self.prompt or ()

    @property
    def named(self) -> tuple[str, ...]:
        """Columns that the recipe names for something that is no part of a dialogue."""
        return tuple(name for name in (self.split, self.group, self.time) if name is not None)


def _check_time_format(form: str) -> None:
    try:
        datetime.strptime("", form)
    except ValueError as error:
        if "%" not in form or "directive" in str(error) or "stray" in str(error):
            raise ValueError(f"time_format {form!r} is none; write it as for strptime, or s or ms") from None
