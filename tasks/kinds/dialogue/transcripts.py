"""Dialogues and the turns that a model generated in them -> transcripts next to the truth, as Markdown or HTML."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ...data import escape
from ...data.dialogues.messages import Message
from ...data.escape import hypertext
from ...learn.examples import Example, Examples, Line, Mark, Piece
from .metrics import Turn, arguments

LONGEST = 600
"""Letters of a given turn, such as records that a tool returned, that are shown."""
UNENDED = "no end of turn"
EMPTY = "empty"
STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5em; max-width: 75em; color: #222; background: #fff }
table { border-collapse: collapse; width: 100%; table-layout: fixed; margin-bottom: 2em }
th, td { border: 1px solid #ccc; padding: .4em .6em; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th:first-child, td:first-child { width: 6em; color: #555 }
.given { background: #f5f5f5; white-space: pre-wrap } .text { white-space: pre-wrap }
.same { color: #00664a } .other { color: #a33f00; font-weight: 600 } .fault { color: #a33f00; font-style: italic }
"""
"""The colours of pictures.RIGHT and WRONG, darkened so that text in them can be read on white."""

REMARK = (
    "Dialogues of the test, drawn at random; each generated turn stands next to the true one, after the true history. "
    "Of a call's arguments those that the turn next to it has too are marked ✓, others ✗."
)


@dataclass(frozen=True)
class Transcript:
    """A dialogue as it is shown: its id, all its messages, and by position the turns that the model generated."""

    dialogue: str
    messages: Sequence[Message]
    turns: Mapping[int, Turn]


def sample_transcripts(
    dialogues: Mapping[str, Sequence[Message]], turns: Sequence[Turn], count: int, seed: int
) -> list[Transcript]:
    """`count` dialogues drawn at random of those with written turns, in the order of `dialogues`."""
    written: dict[str, dict[int, Turn]] = {}
    for turn in turns:
        written.setdefault(turn.dialogue, {})[turn.position] = turn
    names = [name for name in dialogues if name in written]
    chosen = np.random.default_rng(seed).permutation(len(names))[:count]
    return [Transcript(names[i], dialogues[names[i]], written[names[i]]) for i in sorted(chosen.tolist())]


def examples(transcripts: Sequence[Transcript]) -> Examples:
    """Transcripts for the report's page."""
    return Examples("Transcripts", REMARK, [_example(transcript) for transcript in transcripts])


def _example(transcript: Transcript) -> Example:
    lines = [_line(message, transcript.turns.get(at)) for at, message in enumerate(transcript.messages)]
    return Example(transcript.dialogue, lines)


def _line(message: Message, turn: Turn | None) -> Line:
    true, predicted = _sides(message, turn)
    return Line(message["role"], _as_pieces(true), None if predicted is None else _as_pieces(predicted))


def _as_pieces(pieces: Sequence[tuple[Mark, str]]) -> list[Piece]:
    return [Piece(text, mark) for mark, text in pieces]


def markdown(transcripts: Sequence[Transcript]) -> str:
    """A table per dialogue; of arguments, ✓ has the turn next to it too, ✗ has it not."""
    return "\n".join(chain.from_iterable(map(_markdown_of, transcripts)))


def page(transcripts: Sequence[Transcript]) -> str:
    """A HTML page that needs nothing else; arguments are marked by ✓ and ✗ and by colour."""
    body = "\n".join(chain.from_iterable(map(_html_of, transcripts)))
    head = f'<meta charset="utf-8">\n<title>transcripts</title>\n<style>{STYLE}</style>'
    return f"<!doctype html>\n<html>\n{head}\n{body}\n</html>\n"


def _markdown_of(transcript: Transcript) -> list[str]:
    lines = [f"## {_escape(transcript.dialogue)}", "", "| | true | written |", "|---|---|---|"]
    for position, message in enumerate(transcript.messages):
        true, written = _columns(message, transcript.turns.get(position), _markdown_piece, "<br>")
        lines.append(f"| {_escape(message['role'])} | {true} | {written or ''} |")
    return [*lines, ""]


def _html_of(transcript: Transcript) -> list[str]:
    lines = [f"<h2>{hypertext(transcript.dialogue)}</h2>", "<table><tr><th></th><th>true</th><th>written</th></tr>"]
    for position, message in enumerate(transcript.messages):
        true, written = _columns(message, transcript.turns.get(position), _html_piece, "")
        cells = (
            f'<td class="given" colspan="2">{true}</td>' if written is None else f"<td>{true}</td><td>{written}</td>"
        )
        lines.append(f"<tr><td>{hypertext(message['role'])}</td>{cells}</tr>")
    return [*lines, "</table>"]


def _columns(
    message: Message, turn: Turn | None, draw: Callable[[Mark, str], str], between: str
) -> tuple[str, str | None]:
    """Both sides of one row, drawn; the second is None where the turn is given."""
    true, written = _sides(message, turn)
    drawn = between.join(draw(mark, text) for mark, text in true)
    return drawn, None if written is None else between.join(draw(mark, text) for mark, text in written)


def _sides(message: Message, turn: Turn | None) -> tuple[list[tuple[Mark, str]], list[tuple[Mark, str]] | None]:
    """The pieces of both sides; the second is None where the turn is given."""
    if turn is None:
        return _given(message), None
    faults: list[tuple[Mark, str]] = [] if turn.ended else [("fault", UNENDED)]
    return _pieces(turn.expected, turn.written), _pieces(turn.written, turn.expected) + faults


def _given(message: Message) -> list[tuple[Mark, str]]:
    pieces = _pieces(message, None)
    return [
        (kind, f"{text[:LONGEST]} … ({len(text):,} letters)" if len(text) > LONGEST else text) for kind, text in pieces
    ]


def _pieces(message: Message, other: Message | None) -> list[tuple[Mark, str]]:
    """What a turn says: text, tools that it calls, then their arguments, marked where the other turn is shown too."""
    pieces: list[tuple[Mark, str]] = [("text", message["content"])] if message["content"] else []
    calls = [call["function"]["name"] for call in message.get("tool_calls") or ()]
    pieces += [("tool", name) for name in calls]
    others = arguments(other) if other else frozenset()
    many = len(set(calls)) > 1
    for argument in sorted(arguments(message)):
        tool, name, value = argument
        kind: Mark = "text" if other is None else "same" if argument in others else "other"
        pieces.append((kind, f"{f'{tool}: ' if many else ''}{name} = {value}"))
    return pieces or [("fault", EMPTY)]


def _html_piece(kind: Mark, text: str) -> str:
    shown = hypertext({"same": "✓ ", "other": "✗ "}.get(kind, "") + text)
    return f"<div><code>{shown}</code></div>" if kind == "tool" else f'<div class="{kind}">{shown}</div>'


def _markdown_piece(kind: Mark, text: str) -> str:
    shown = _escape(text)
    match kind:
        case "text":
            return shown
        case "same":
            return f"✓ {shown}"
        case "other":
            return f"✗ **{shown}**"
        case "tool" | "fault":
            return f"*{shown}*"


def _escape(text: str) -> str:
    """A text that Markdown shows as it is, in one cell of a table."""
    return escape.markdown(text, "<br>")
