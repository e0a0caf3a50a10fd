"""Dialogues -> sequences to be: rendered texts with what they spell hidden, and their tokens."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from ...learn.labels import IGNORE_INDEX
from ..segments import Encoded
from ..tokenizer import TextTokenizer
from .spans import Conversation, Rendered, Script
from .special_tokens import Spellings, find_spellings
from .template_input import Composed
from .tokenize_text import Tokens, WholeText

if TYPE_CHECKING:
    from .encoding import DialogueEncoding


SHOWN = 40
"""Letters of a row by which a person finds it."""


class Draft(NamedTuple):
    """One sequence to be: turns [start, trained[-1]] of a dialogue behind its system turn."""

    dialogue: int
    start: int
    trained: tuple[int, ...]
    rendered: Rendered
    spellings: Spellings


def user_turns(messages: Sequence[Message]) -> list[int]:
    """Turns at which a shortened dialogue may begin."""
    system = bool(messages) and messages[0]["role"] == "system"
    return [n for n, turn in enumerate(messages) if turn["role"] == "user" and n > system]


class Writer:
    """Conversations -> rendered texts -> ids, with one tokenizer."""

    def __init__(self, encoding: "DialogueEncoding", tokenizer: TextTokenizer, ids: Sequence[str] = ()) -> None:
        self.encoding, self.ids = encoding, ids
        self.whole = WholeText(tokenizer)

    def tokens(self, rows: Sequence[tuple[Rendered, Spellings]]) -> list[Tokens]:
        """Tokens of rendered texts."""
        return self.whole.encode(
            [(sequence.text, sequence.borders) for sequence, _ in rows], [hidden for _, hidden in rows]
        )

    def encode(self, drafts: list[Draft]) -> tuple[Encoded, int]:
        """Ids and labels of drafts, and how many borders were cut in tokens."""
        encoded = self.tokens([(draft.rendered, draft.spellings) for draft in drafts])
        offsets = np.array([0, *accumulate(len(tokens.ids) for tokens in encoded)], np.int64)
        ids = np.fromiter((token for tokens in encoded for token in tokens.ids), np.int32, int(offsets[-1]))
        labels = np.full(len(ids), IGNORE_INDEX, np.int32)
        for base, draft, tokens in zip(offsets.tolist(), drafts, encoded, strict=False):
            for begin, end in draft.rendered.runs:
                span = slice(base + tokens.place(begin), base + tokens.place(end))
                labels[span] = ids[span]
        return Encoded(ids, labels, offsets, np.zeros(len(drafts), np.int32)), sum(tokens.cut for tokens in encoded)

    def apart(self, drafts: list[Draft], dialogues: Mapping[int, Sequence[Message]]) -> list[Draft]:
        """The same drafts; of one in which a token reaches over the beginning of a turn, a draft per turn: the history
        of a turn is tokenised as inference will, and only the turn itself is cut off its prompt."""
        drafts_apart: list[Draft] = []
        for draft, tokens in zip(
            drafts, self.tokens([(draft.rendered, draft.spellings) for draft in drafts]), strict=True
        ):
            alone = tokens.cut and len(draft.trained) > 1
            singles = [(turn,) for turn in draft.trained] if alone else []
            pieces = [self.drafts(draft.dialogue, dialogues[draft.dialogue], draft.start, turn) for turn in singles]
            drafts_apart += [piece for (piece,) in pieces] if alone else [draft]
        return drafts_apart

    def drafts(self, number: int, dialogue: Sequence[Message], start: int, trained: tuple[int, ...]) -> list[Draft]:
        """One sequence with all trained turns where the template allows it, else several."""
        if not trained:
            return []
        try:
            composed = self.encoding.composed(dialogue, start, trained[-1] + 1)
            conversation, spellings = self.conversation(composed)
            moved = composed.moved
            kinds = {turn + moved: self.encoding.trains(dialogue[turn]) for turn in trained}
            groups = conversation.groups([turn + moved for turn in trained])
            rows = [conversation.sequence(group, kinds) for group in groups]
        except DataError as error:
            raise DataError(f"{self._row(number, dialogue)}: {error}") from None
        own = [tuple(turn - moved for turn in group) for group in groups]
        return [Draft(number, start, group, row, spellings) for group, row in zip(own, rows, strict=True)]

    def _row(self, number: int, dialogue: Sequence[Message]) -> str:
        """A row by its id and the text that it begins with; by its number where it has no id."""
        first_words = next((turn["content"] for turn in dialogue if turn["role"] != "system" and turn["content"]), "")
        return f"row {self.ids[number]} ({first_words[:SHOWN]!r})" if self.ids else f"dialogue {number}"

    def shorten(self, draft: Draft, dialogue: Sequence[Message]) -> Draft | None:
        """The same sequence from the first user turn at which it fits; None where none does."""
        starts = [start for start in user_turns(dialogue) if start < draft.trained[-1]]

        @cache
        def candidate(start: int) -> Draft:
            left = tuple(turn for turn in draft.trained if turn > start)
            return self.apart(self.drafts(draft.dialogue, dialogue, start, left), {draft.dialogue: dialogue})[-1]

        def fits(start: int) -> bool:
            return bool(self.encode([candidate(start)])[0].lengths[0] <= self.encoding.max_length)

        place = bisect_left(starts, True, key=fits)
        return candidate(starts[place]) if place < len(starts) else None

    def conversation(self, composed: Composed) -> tuple[Conversation, Spellings]:
        """Composed turns with what they spell hidden from the template."""
        encoding, turns = self.encoding, composed.messages
        tools = encoding.tools if composed.tools is None else composed.tools
        spellings = find_spellings([turns, tools], encoding.specials, elsewhere=encoding.template)
        spellings = _as_written(encoding.script, turns, tools, spellings)
        script, hidden = _hide(encoding.script, turns, tools, spellings)
        return Conversation(script, hidden, composed.moved + composed.before), spellings


def _hide(
    script: Script, turns: Sequence[Message], tools: Sequence[Message], spellings: Spellings
) -> tuple[Script, list[Message]]:
    return script.with_tools(spellings.hide(tools)), list(map(spellings.hide_turn, turns))


def _as_written(script: Script, turns: Sequence[Message], tools: Sequence[Message], spellings: Spellings) -> Spellings:
    """The form of placeholders with which the template writes the same text as with what they stand for."""
    forms = (spellings, replace(spellings, edged=True)) if spellings.texts else ()
    for form in forms:
        other, hidden = _hide(script, turns, tools, form)
        with suppress(DataError):  # the encoder names such turns
            if form.restore(other.render(hidden)) == script.with_tools(tools).render(turns):
                return form
    return spellings
