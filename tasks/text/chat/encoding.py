"""Dialogues -> token ids and labels, and the ids that generation is given: one renderer for both."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from ..encoding import FILE
from ..segments import Encoded
from ..tokenizer import TextTokenizer
from .chat_template import Template
from .end_of_turn import Ending, Kind, kind_of
from .sequences import Writer, user_turns
from .spans import Script
from .template_input import Composed, compose
from .template_properties import Manners

TOO_LONG, NO_TARGET = "too long", "no supervised token"


class TooLongError(DataError):
    """What precedes a turn leaves no room for it."""


@dataclass(frozen=True)
class DialogueEncoding:
    """Everything that a dialogue needs to become model input, as saved next to the tokenizer.

    template: Jinja source, which reads `texts` (bos_token …) and template_options. tools: JSON schemas, for dialogues
    that bring none. system: for dialogues without one. endings: how a reply and a call end; end_ids: the ids at which
    generation stops. manners: what else was found of the template. specials: texts that content must not turn into
    tokens. train_on: the kinds of turns that are supervised, the last of them alone with turns="last". packing: several
    sequences to a row of max_length. new_tokens: ids that the tokenizer got from the recipe. stops: the texts of
    end_ids. named: the special tokens' names that the tokenizer knows.
    """

    template: str
    texts: dict[str, Any]
    specials: tuple[str, ...]
    endings: dict[str, Ending]
    tools: tuple[Message, ...]
    system: str | None
    system_in_user: bool
    train_on: tuple[Kind, ...]
    turns: Literal["all", "last"]
    max_length: int
    padding: Literal["longest", "max_length"]
    pad_id: int
    end_ids: tuple[int, ...]
    special: dict[str, int]
    packing: bool = False
    new_tokens: tuple[int, ...] = ()
    kind: Literal["dialogue"] = "dialogue"
    labels: tuple[str, ...] = ()
    label_ids: tuple[int, ...] = ()
    template_options: dict[str, Any] = field(default_factory=dict)
    manners: Manners = field(default_factory=Manners)
    stops: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    @cached_property
    def script(self) -> Script:
        """What rendering needs of this."""
        template = Template(
            self.template,
            self.texts,
            self.template_options,
            self.manners.parts,
            null_content=self.manners.null_content,
        )
        return Script(template, self.tools, self.endings, self.system_in_user, self.manners, self.stops)

    def composed(self, dialogue: Sequence[Message], start: int, stop: int) -> Composed:
        """The system turn and turns [start, stop) of a dialogue, as the template takes them; see `compose`.

        Thoughts are left off where the template writes none and the recipe does not train on them.
        """
        composed = compose(
            dialogue,
            range(start, stop),
            system=self.system,
            system_in_user=self.system_in_user,
            any_id=self.manners.any_id,
        )
        if "thoughts" in self.train_on or self.manners.closing is not None:
            return composed
        bare = [{key: value for key, value in turn.items() if key != "reasoning_content"} for turn in composed.messages]
        return composed._replace(messages=bare)

    def trained_turns(self, dialogue: Sequence[Message]) -> tuple[int, ...]:
        """The turns of which something is supervised: of a kind in train_on and not of weight 0."""
        trained = [n for n, turn in enumerate(dialogue) if any(self.trains(turn)) and turn.get("weight", 1)]
        return tuple(trained[-1:] if self.turns == "last" else trained)

    def trains(self, turn: Message) -> tuple[bool, bool]:
        """Whether a turn's thoughts are supervised, and the rest of it."""
        kind = kind_of(turn)
        thinks = kind is not None and bool(turn.get("reasoning_content")) and "thoughts" in self.train_on
        return thinks, kind in self.train_on

    def save(self, folder: Path) -> None:
        """Write encoding.json; keys keep their order, in which a template writes the tools."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (folder / FILE).write_text(text, encoding="utf-8")


def load_dialogue_encoding(path: Path) -> DialogueEncoding:
    """Read encoding.json."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    saved["endings"] = {kind: Ending(**ending) for kind, ending in saved["endings"].items()}
    if "manners" in saved:
        saved["manners"] = Manners(**saved["manners"])
    else:  # saved before thoughts were a kind of their own
        saved["train_on"] = [*saved["train_on"], "thoughts"]
    tuples = ("specials", "tools", "train_on", "end_ids", "new_tokens", "labels", "label_ids", "stops", "named")
    return DialogueEncoding(**{**saved, **{name: tuple(saved[name]) for name in tuples if name in saved}})


@dataclass(frozen=True)
class EncodedDialogues:
    """Sequences of tokens and where they come from.

    origin: int64 [sequences], the dialogue; starts: int64 [sequences], its first turn behind the system turn that is
    kept; trained: per sequence its supervised turns; dropped: dialogue -> reason. `encoded.cut` counts tokens.
    lost: trained turns that no sequence holds, of dialogues that are kept. split: beginnings of turns at which a token
    of the whole text had to be cut, so that the ids before them are those that inference gives.
    """

    encoded: Encoded
    origin: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    trained: list[tuple[int, ...]]
    dropped: dict[int, str]
    lost: int
    split: int = 0


def encode_dialogues(
    encoding: DialogueEncoding,
    tokenizer: TextTokenizer,
    dialogues: Sequence[Sequence[Message]],
    ids: Sequence[str] = (),
) -> EncodedDialogues:
    """Render, tokenise and label dialogues; see `Conversation.groups` for when one becomes several sequences.

    A sequence above max_length loses its oldest turns, so that it begins with a user turn behind the system turn and
    keeps a supervised turn. Raises DataError for turns that the template refuses, naming the row by its id of `ids`.
    """
    trained = [encoding.trained_turns(dialogue) for dialogue in dialogues]
    writer = Writer(encoding, tokenizer, ids)
    drafts = [draft for n, dialogue in enumerate(dialogues) for draft in writer.drafts(n, dialogue, 0, trained[n])]
    drafts = writer.apart(drafts, dict(enumerate(dialogues)))
    encoded, split = writer.encode(drafts)
    lengths = encoded.lengths
    long = np.flatnonzero(lengths > encoding.max_length)
    if len(long):
        shorter = {int(n): writer.shorten(drafts[n], dialogues[drafts[n].dialogue]) for n in long}
        chosen = [shorter.get(n, draft) for n, draft in enumerate(drafts)]
        lengths = lengths[[draft is not None for draft in chosen]]
        drafts = [draft for draft in chosen if draft is not None]
        encoded, split = writer.encode(drafts)
    cut = (lengths - encoded.lengths).astype(np.int32)
    kept = {draft.dialogue for draft in drafts}
    dropped = {n: TOO_LONG if turns else NO_TARGET for n, turns in enumerate(trained) if n not in kept}
    wanted = sum(len(turns) for n, turns in enumerate(trained) if n in kept)
    return EncodedDialogues(
        encoded=Encoded(encoded.ids, encoded.labels, encoded.offsets, cut),
        origin=np.array([draft.dialogue for draft in drafts], np.int64),
        starts=np.array([draft.start for draft in drafts], np.int64),
        trained=[draft.trained for draft in drafts],
        dropped=dropped,
        lost=wanted - sum(len(draft.trained) for draft in drafts),
        split=split,
    )


def prompt(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, messages: Sequence[Message], room: int = 0
) -> list[int]:
    """The ids that generation is given: system turn, history and generation prompt, at most max_length - room tokens.

    Oldest turns go first, as in training. Raises TooLongError where the last user turn alone is longer than that.
    """
    writer, budget = Writer(encoding, tokenizer), encoding.max_length - room

    def ids(start: int) -> list[int]:
        conversation, spellings = writer.conversation(encoding.composed(messages, start, len(messages)))
        return writer.tokens([(conversation.opening(), spellings)])[0].ids

    starts = [0, *user_turns(messages)]
    place = bisect_left(starts, True, key=lambda start: len(ids(start)) <= budget)
    if place == len(starts):
        raise TooLongError(
            f"the last user turn needs {len(ids(starts[-1]))} tokens, but only {budget} are left for it"
            "; raise encode.max_length, or ask for fewer new tokens"
        )
    return ids(starts[place])
