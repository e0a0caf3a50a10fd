"""What `temper drill` asks of a kind, in its module `drill`: predictions to plant, and where its encoding is changed.

A change is made between what a kind's encoder makes and its certificate, which is the real one.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from .spec import module_of

if TYPE_CHECKING:
    import pandas as pd

    from ..text.segments import Encoded


Edit = Callable[["pd.DataFrame"], "pd.DataFrame"]


@dataclass(frozen=True)
class Change:
    """What is changed: the encoded rows; the truth of the rows of a part (by its name) before they are encoded; the
    source of the chat template."""

    encoded: "Callable[[Encoded], Encoded] | None" = None
    truth: "Callable[[pd.Series, str], pd.Series] | None" = None
    template: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Place:
    """A function of a module, and what makes another of it."""

    module: ModuleType
    name: str
    make: Callable[[Callable[..., Any]], Callable[..., Any]]


def of_texts(change: Change, truth: str | None) -> Place:
    """The encoding of rows of text, part by part."""
    from ..text import encoding_stage

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def encode_parts(encoder: Any, tables: Any, folder: Any) -> Any:
            def encode_part(encoding: Any, tokenizer: Any, rows: Any) -> Any:
                if change.truth is not None and truth is not None:
                    part = next((name for name, table in tables.items() if table is rows), "")
                    rows = rows.assign(**{truth: change.truth(rows[truth], part)})
                encoded, dropped = encoder.encode_part(encoding, tokenizer, rows)
                if change.encoded is not None:
                    encoded = replace(encoded, encoded=change.encoded(encoded.encoded))
                return encoded, dropped

            return original(replace(encoder, encode_part=encode_part), tables, folder)

        return encode_parts

    return Place(encoding_stage, "encode_parts", make)


@dataclass(frozen=True)
class Drill:
    """The drill's part of a kind, `DRILL` in its module `drill`. useless, perfect: predictions of test rows -> the same
    as bad as they can be, and as those of a model that has seen the rows. encoding: where a change of the encoding is
    made, and the column of what is learnt. ends: whether an end token closes supervised texts; template: whether rows
    are rendered by a chat template."""

    useless: Edit
    perfect: Edit
    encoding: Callable[[Change, str | None], Place] = of_texts
    ends: bool = False
    template: bool = False


def open_drill(kind: str) -> Drill:
    """The drill's part of a kind."""
    return cast(Drill, importlib.import_module(module_of(kind, "drill")).DRILL)


def always(answer: str, value: str) -> Edit:
    """The same prediction for every row."""
    return lambda table: table.assign(**{answer: value})


def copied(truth: str, answer: str) -> Edit:
    """What is right as each row's prediction."""
    return lambda table: table.assign(**{answer: table[truth]})


def next_class(table: "pd.DataFrame") -> "pd.DataFrame":
    """Each row predicted as the class behind its own."""
    labels = sorted({*table["label"], *table["predicted"]})
    after: Mapping[str, str] = dict(zip(labels, [*labels[1:], labels[0]], strict=True))
    return table.assign(predicted=table["label"].map(after))


def templated(own: Any, change: Change) -> Any:
    """An encoding with the changed template."""
    return replace(own, template=change.template(own.template)) if change.template else own
