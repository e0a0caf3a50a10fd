"""Dialogues -> token ids and labels, and the ids that generation is given: one renderer for both."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..data.errors import DataError
from ..data.messages import Message
from .encoding import FILE
from .endings import Ending, Kind, kind_of
from .segments import Encoded, Segment, encode_segments
from .spellings import Spellings, find_spellings
from .templates import Template
from .tokenizer import TextTokenizer
from .turns import Conversation, Rendered, Script, compose

TOO_LONG, NO_TARGET = "too long", "no supervised token"
UNCUT = 2**31 - 1


class TooLongError(DataError):
    """What precedes a turn leaves no room for it."""


@dataclass(frozen=True)
class DialogueEncoding:
    """Everything that a dialogue needs to become model input, as saved beside the tokenizer.

    template: Jinja source, which reads `texts` (bos_token …). tools: JSON schemas. system: for dialogues without one.
    endings: how a reply and a call end; end_ids: the ids at which generation stops. specials: texts that content must
    not turn into tokens. train_on: the kinds of turns that are supervised, the last of them alone with turns="last".
    packing: several sequences to a row of max_length. new_tokens: ids that the tokenizer got from the recipe.
    """

    template: str
    texts: dict[str, str]
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

    @cached_property
    def script(self) -> Script:
        """What rendering needs of this."""
        return Script(Template(self.template, self.texts), self.tools, self.endings, self.system_in_user)

    def composed(self, dialogue: Sequence[Message], start: int, stop: int) -> tuple[list[Message], int]:
        """The system turn and turns [start, stop) of a dialogue, as the template takes them; see `compose`."""
        return compose(dialogue, start, stop, system=self.system, system_in_user=self.system_in_user)

    def trained_turns(self, dialogue: Sequence[Message]) -> tuple[int, ...]:
        """The turns that are supervised: of a kind in train_on and not of weight 0."""
        found = [n for n, turn in enumerate(dialogue) if kind_of(turn) in self.train_on and turn.get("weight", 1)]
        return tuple(found[-1:] if self.turns == "last" else found)

    def save(self, folder: Path) -> None:
        """Write encoding.json; keys keep their order, in which a template writes the tools."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (folder / FILE).write_text(text, encoding="utf-8")


def load_dialogue_encoding(path: Path) -> DialogueEncoding:
    """Read encoding.json."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    saved["endings"] = {kind: Ending(**ending) for kind, ending in saved["endings"].items()}
    tuples = ("specials", "tools", "train_on", "end_ids", "new_tokens", "labels", "label_ids")
    return DialogueEncoding(**{**saved, **{name: tuple(saved[name]) for name in tuples}})


class Draft(NamedTuple):
    """One sequence to be: turns [start, trained[-1]] of a dialogue behind its system turn."""

    dialogue: int
    start: int
    trained: tuple[int, ...]
    segments: list[Segment]


@dataclass(frozen=True)
class EncodedDialogues:
    """Sequences of tokens and where they come from.

    origin: int64 [sequences], the dialogue; starts: int64 [sequences], its first turn behind the system turn that is
    kept; trained: per sequence its supervised turns; dropped: dialogue -> reason. `encoded.cut` counts tokens.
    lost: trained turns that no sequence holds, of dialogues that are kept.
    """

    encoded: Encoded
    origin: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    trained: list[tuple[int, ...]]
    dropped: dict[int, str]
    lost: int


def encode_dialogues(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, dialogues: Sequence[Sequence[Message]]
) -> EncodedDialogues:
    """Render, tokenise and label dialogues; see `Conversation.groups` for when one becomes several sequences.

    A sequence above max_length loses its oldest turns, so that it begins with a user turn behind the system turn and
    keeps a supervised turn. Raises DataError, naming the dialogue, for turns that the template refuses.
    """
    trained = [encoding.trained_turns(dialogue) for dialogue in dialogues]
    writer = _Writer(encoding, tokenizer)
    drafts = [draft for n, dialogue in enumerate(dialogues) for draft in writer.drafts(n, dialogue, 0, trained[n])]
    encoded = writer.encode(drafts)
    lengths = encoded.lengths
    long = np.flatnonzero(lengths > encoding.max_length)
    if len(long):
        shorter = {int(n): writer.shorten(drafts[n], dialogues[drafts[n].dialogue]) for n in long}
        chosen = [shorter.get(n, draft) for n, draft in enumerate(drafts)]
        lengths = lengths[[draft is not None for draft in chosen]]
        drafts = [draft for draft in chosen if draft is not None]
        encoded = writer.encode(drafts)
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
    )


def prompt(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, messages: Sequence[Message], room: int = 0
) -> list[int]:
    """The ids that generation is given: system turn, history and generation prompt, at most max_length - room tokens.

    Oldest turns go first, as in training. Raises TooLongError where the last user turn alone is longer than that.
    """
    writer, budget = _Writer(encoding, tokenizer), encoding.max_length - room

    def ids(start: int) -> list[int]:
        turns, _ = encoding.composed(messages, start, len(messages))
        conversation, spellings = writer.conversation(turns)
        return list(writer.tokenise([writer.segments(conversation.opening(), spellings)]).ids.tolist())

    starts = [0, *_user_turns(messages)]
    place = bisect_left(starts, True, key=lambda start: len(ids(start)) <= budget)
    if place == len(starts):
        raise TooLongError(f"the last user turn needs {len(ids(starts[-1]))} tokens, but only {budget} are left for it")
    return ids(starts[place])


def _user_turns(messages: Sequence[Message]) -> list[int]:
    """Turns at which a shortened dialogue may begin."""
    system = bool(messages) and messages[0]["role"] == "system"
    return [n for n, turn in enumerate(messages) if turn["role"] == "user" and n > system]


class _Writer:
    """Conversations -> segments -> ids, with one tokenizer."""

    def __init__(self, encoding: DialogueEncoding, tokenizer: TextTokenizer) -> None:
        self.encoding = encoding
        self.literal = cache(lambda text: tuple(tokenizer.ids([text])[0]))
        self.tokenise = partial(encode_segments, tokenize=tokenizer.marked_ids, budget=UNCUT, keep="first")

    def encode(self, drafts: list[Draft]) -> Encoded:
        return self.tokenise([draft.segments for draft in drafts])

    def drafts(self, number: int, dialogue: Sequence[Message], start: int, trained: tuple[int, ...]) -> list[Draft]:
        """One sequence with all trained turns where the template allows it, else several."""
        if not trained:
            return []
        try:
            turns, moved = self.encoding.composed(dialogue, start, trained[-1] + 1)
            conversation, spellings = self.conversation(turns)
            groups = conversation.groups([turn + moved for turn in trained])
            rows = [self.segments(conversation.sequence(group), spellings) for group in groups]
        except DataError as error:
            raise DataError(f"dialogue {number}: {error}") from None
        own = [tuple(turn - moved for turn in group) for group in groups]
        return [Draft(number, start, group, row) for group, row in zip(own, rows, strict=True)]

    def shorten(self, draft: Draft, dialogue: Sequence[Message]) -> Draft | None:
        """The same sequence from the first user turn at which it fits; None where none does."""
        starts = [start for start in _user_turns(dialogue) if start < draft.trained[-1]]

        @cache
        def candidate(start: int) -> Draft:
            left = tuple(turn for turn in draft.trained if turn > start)
            return self.drafts(draft.dialogue, dialogue, start, left)[-1]

        def fits(start: int) -> bool:
            return bool(self.encode([candidate(start)]).lengths[0] <= self.encoding.max_length)

        place = bisect_left(starts, True, key=fits)
        return candidate(starts[place]) if place < len(starts) else None

    def conversation(self, turns: list[Message]) -> tuple[Conversation, Spellings]:
        """Composed turns with what they spell hidden from the template."""
        encoding, script = self.encoding, self.encoding.script
        spellings = find_spellings([turns, encoding.tools], encoding.specials, elsewhere=encoding.template)
        script = replace(script, tools=tuple(spellings.hide(script.tools)))
        return Conversation(script, spellings.hide(turns)), spellings

    def segments(self, rendered: Rendered, spellings: Spellings) -> list[Segment]:
        """Segments of a rendered conversation, cut where the model begins and ends to write."""
        starts, ends = (set(edges) for edges in zip(*rendered.runs, strict=True)) if rendered.runs else (set(), set())
        found: list[Segment] = []
        inside = False
        for start, end in pairwise(rendered.cuts):
            inside = start in starts or (inside and start not in ends)
            found += spellings.segments(rendered.text[start:end], self.literal, supervised=inside)
        return found
