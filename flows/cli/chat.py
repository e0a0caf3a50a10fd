"""temper chat: a conversation with a registered dialogue model, whose calls are answered by the tools it carries."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tasks.tracking.wire_format import entry_points

from ..services.stores import require
from .arguments import ModelVersion
from .console import Console
from .failures import failures

if TYPE_CHECKING:
    from tasks.text.chat.tool_answers import Answers
    from tasks.tracking.wire_format import DialoguePredictor, Message

CALLS = 4
"""Turns of calls in a row after which the model must reply; one that never does would go on for ever."""
QUIT = "/quit"
SHOWN = 200
"""Letters of a result that are shown."""


def command(
    model: ModelVersion,
    script: Annotated[
        Path | None, typer.Option("--script", help="A file with one user turn a line, in place of the keyboard.")
    ] = None,
    longest: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest turn of the model, in tokens.")] = 256,
    allow: Annotated[
        list[str] | None, typer.Option("--allow-tool", help="A tool whose Python function may be called; repeatable.")
    ] = None,
    tools: Annotated[
        Path | None,
        typer.Option("--tools", help="YAML or JSON with tools of this chat, as encode.tools lists them, or OpenAI's."),
    ] = None,
) -> None:
    """Talk to a registered model: its tools answer its calls, what they return goes back to it.

    The reply is written as it comes. An empty line is passed over, /new begins again, /quit or the end of input ends.
    A tool that a Python function answers is called only where --allow-tool names it; the functions are shown first.
    A model that was trained on rows with tools of their own takes those of this chat from --tools; the result of a
    call that nothing answers is asked for, the next line is it.
    """
    with failures():
        turns = _typed() if script is None else _written(script)
        console = Console()
        with Console(stderr=True).status(f"loading {model}"):
            require("MLflow")
            from tasks.text.chat.chat_tools import open_tools
            from tasks.text.chat.tool_answers import Answers
            from tasks.tracking.models import dialogue_predictor

            definitions, answering = ([], Answers()) if tools is None else open_tools(tools)
            predictor = dialogue_predictor(model)
        allowed = allowed_functions({**entry_points(predictor), **answering.entries}, allow or [], console)
        chat = Conversation(predictor, console, longest, allowed, definitions, answering)
        chat.talk(turns, echo=script is not None)


def allowed_functions(entries: Mapping[str, str], allow: list[str], console: Console) -> dict[str, str]:
    """Show which functions answer tools; those of the tools in `allow`, by tool. Raises StageError."""
    from tasks.artifact import StageError

    for name in allow:
        if name not in entries:
            known = f"such tools are {', '.join(entries)}" if entries else "there is no such tool"
            raise StageError(f"--allow-tool {name}: no Python function answers {name} in this chat; {known}")
    for name, entry in entries.items():
        state = "allowed" if name in allow else f"not allowed; --allow-tool {name} lets it run"
        console.print(Text(f"tool   > {name} is answered by {entry}: {state}", "quiet"), soft_wrap=True)
    return {name: entry for name, entry in entries.items() if name in allow}


def _typed() -> Iterator[str]:
    while True:
        try:
            yield input("you    > ")
        except (EOFError, KeyboardInterrupt):
            return


def _written(script: Path) -> list[str]:
    from configs.load import RecipeError
    from tasks.data.files import check_file

    check_file(script)
    try:
        return script.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise RecipeError(f"{script}: not UTF-8; save it as UTF-8") from None


class Quit(Exception):
    """The user ended the chat where the result of a call was asked for."""


@dataclass
class Conversation:
    """A conversation with a model; allowed: tools with the entry points that may be called.

    tools: definitions of tools that the chat brings along; answering: what answers some of them.
    """

    predictor: "DialoguePredictor"
    console: Console
    longest: int
    allowed: Mapping[str, str] = field(default_factory=dict)
    tools: "Sequence[Message]" = ()
    answering: "Answers | None" = None
    messages: "list[Message]" = field(default_factory=list)

    def talk(self, turns: Iterable[str], *, echo: bool) -> None:
        """Go through the user's turns; echo: print them too."""
        self.messages, lines = self._opening(), iter(turns)
        for line in lines:
            text = line.strip()
            if text == QUIT:
                return
            if text == "/new":
                self.messages = self._opening()
                self.console.print("a new conversation", style="quiet")
            elif text:
                if echo:
                    self.console.print(Text(f"you    > {text}", "bold"))
                self.messages.append({"role": "user", "content": text})
                try:
                    self._reply(lines)
                except Quit:
                    return

    def _opening(self) -> "list[Message]":
        """What precedes the first turn: the chat's own tools, as rows of dialogues have them."""
        return [{"role": "system", "content": None, "tools": list(self.tools)}] if self.tools else []

    def _reply(self, lines: Iterator[str]) -> None:
        """The model's turns until it replies; a call is shown with its result. `lines`: where results are typed."""
        for _ in range(CALLS):
            message = self._turn()
            self.messages.append(message)
            if not message.get("tool_calls"):
                return
            for call in message["tool_calls"]:
                result = self._result(message, call, lines)
                self.console.print(Text(_shown(call["function"], result["content"]), "quiet"), soft_wrap=True)
                self.messages.append(result)
        self.console.print(f"{CALLS} turns of calls in a row without a reply; ask otherwise", style="warning")

    def _result(self, message: "Message", call: "Message", lines: Iterator[str]) -> "Message":
        name = call["function"]["name"]
        if name in self.allowed:
            from tasks.text.chat.entry_points import call_entry_point

            return call_entry_point(self.allowed[name], call["function"])
        if self.answering is None or all(tool["function"]["name"] != name for tool in self.tools):
            return self.predictor.answers({**message, "tool_calls": [call]})[0]
        if name in self.answering.tables or name in self.answering.entries:
            return self.answering.message(call["function"])
        asked = f"{_call(call['function'])} is answered by nothing; its result (JSON or text, in a line)"
        self.console.print(Text(f"tool   > {asked}", "warning"), soft_wrap=True)
        typed = next(lines, QUIT).strip()
        if typed == QUIT:
            raise Quit
        return {"role": "tool", "name": name, "content": typed or json.dumps({"error": "no result"})}

    def _turn(self) -> "Message":
        """One turn; a reply is printed as it comes, what begins like a call is held back until it is recognised."""
        text, shown, console = "", 0, self.console
        for piece in self.predictor.stream(self.messages, self.longest):
            text += piece
            if not self.predictor.may_be_call(text):
                if not shown:
                    console.print("model  > ", end="", style="name")
                console.print(text[shown:], end="", soft_wrap=True)
                shown = len(text)
        message = self.predictor.read(text, self.messages) if self.tools else self.predictor.read(text)
        if not message.get("tool_calls"):
            if not shown:
                console.print("model  > ", end="", style="name")
            console.print(text[shown:], soft_wrap=True)
        elif shown:
            console.print()
        return message


def _shown(function: "Message", content: str) -> str:
    """A call and what it returned, in one line; of records how many, and the first value of some."""
    shown = content if len(content) <= SHOWN else f"{content[:SHOWN]} …"
    try:
        records = json.loads(content)
    except ValueError:  # a result may be any text
        records = None
    if isinstance(records, dict) and "error" in records:
        shown = f"error: {records['error']}"
    elif isinstance(records, list) and all(isinstance(record, dict) for record in records):
        firsts = ", ".join(str(next(iter(record.values()), "")) for record in records[:3])
        more = " …" if len(records) > 3 else ""
        shown = f"{len(records)} found" + (f": {firsts}{more}" if records else "")
    return f"tool   > {_call(function)} -> {shown}"


def _call(function: "Message") -> str:
    asked = ", ".join(f"{name}: {_words(value)}" for name, value in function["arguments"].items())
    return f"{function['name']}({asked})"


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
