"""temper chat: a conversation with a registered dialogue model, whose searches run on the table that it carries."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ..services.stores import require
from .arguments import ModelVersion
from .console import Console
from .failures import failures

if TYPE_CHECKING:
    from tasks.tracking.wire_format import DialoguePredictor

    from .console import Console

CALLS = 4
"""Searches in a row after which the model must answer; one that never does would go on for ever."""


def command(
    model: ModelVersion,
    script: Annotated[
        Path | None, typer.Option("--script", help="A file with one user turn a line, in place of the keyboard.")
    ] = None,
    longest: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest turn of the model, in tokens.")] = 256,
) -> None:
    """Talk to a registered model: its searches run on its own table, what they find goes back to it.

    The reply is written as it comes. An empty line is passed over, /new begins anew, /quit or the end of input ends.
    """
    with failures():
        turns = _typed() if script is None else _written(script)
        console = Console()
        with Console(stderr=True).status(f"loading {model}"):
            require("MLflow")
            from tasks.tracking.models import dialogue_predictor

            predictor = dialogue_predictor(model)
        _talk(predictor, turns, console, longest, echo=script is not None)


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


def _talk(
    predictor: "DialoguePredictor", turns: Iterable[str], console: "Console", longest: int, *, echo: bool
) -> None:
    messages: list[dict[str, Any]] = []
    for line in turns:
        said = line.strip()
        if said == "/quit":
            return
        if said == "/new":
            messages = []
            console.print("a new conversation", style="dim")
        elif said:
            if echo:
                console.print(Text(f"you    > {said}", "bold"))
            messages.append({"role": "user", "content": said})
            _answer(predictor, messages, console, longest)


def _answer(predictor: "DialoguePredictor", messages: list[dict[str, Any]], console: "Console", longest: int) -> None:
    """The model's turns until it replies; a search is shown with the number of its results."""
    for _ in range(CALLS):
        message = _turn(predictor, messages, console, longest)
        messages.append(message)
        if not message.get("tool_calls"):
            return
        results = predictor.answers(message)
        for call, result in zip(message["tool_calls"], results, strict=True):
            _show_search(call["function"], result["content"], console)
        messages += results
    console.print(f"{CALLS} searches in a row without an answer; ask otherwise", style="yellow")


def _turn(
    predictor: "DialoguePredictor", messages: list[dict[str, Any]], console: "Console", longest: int
) -> dict[str, Any]:
    """One turn; a reply is printed as it comes, what begins like a call is held back until it is told apart."""
    text, shown = "", 0
    for piece in predictor.stream(messages, longest):
        text += piece
        if not predictor.may_be_call(text):
            if not shown:
                console.print("model  > ", end="", style="bold cyan")
            console.print(text[shown:], end="", soft_wrap=True)
            shown = len(text)
    message = predictor.read(text)
    if not message.get("tool_calls"):
        if not shown:
            console.print("model  > ", end="", style="bold cyan")
        console.print(text[shown:], soft_wrap=True)
    elif shown:
        console.print()
    return message


def _show_search(function: dict[str, Any], content: str, console: "Console") -> None:
    asked = ", ".join(f"{name}: {_said(value)}" for name, value in function["arguments"].items())
    found = json.loads(content)
    told = f"error: {found['error']}" if isinstance(found, dict) else f"{len(found)} found"
    if isinstance(found, list) and found:
        told += ": " + ", ".join(str(one.get("name")) for one in found[:3]) + (" …" if len(found) > 3 else "")
    console.print(Text(f"search > {asked or 'anything'} -> {told}", "dim"), soft_wrap=True)


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
