"""The trial of a chat template, run as a program of its own under limits: source on stdin, what it breaks on stdout.

It renders a few turns with jinja2 alone, without the rest of Temper, which would take seconds to load; all errors but
those of limits are left to rendering.
"""

import json
import resource
import sys
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

CALL = {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
ASKED, REPLY = {"role": "user", "content": "How are you?"}, {"role": "assistant", "content": "Well."}
CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
DIALOGUES = (
    [ASKED, REPLY],
    [{"role": "system", "content": "Be brief."}, ASKED, REPLY],
    [ASKED, CALLING, {"role": "tool", "name": "f", "content": "1"}, REPLY],
)
NUMBER = {"type": "integer", "description": "a number"}
PARAMETERS = {"type": "object", "properties": {"a": NUMBER}, "required": ["a"]}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": PARAMETERS}}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
LIMITS = (OverflowError, RecursionError, MemoryError)


class Generation(Extension):
    """The tag around what the model generates, here without an effect."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        """The statements inside."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)


def refuse(message: str) -> NoReturn:
    """What a template calls to refuse turns."""
    raise TemplateError(message)


def as_json(value: Any, **options: Any) -> str:
    """The filter tojson."""
    return json.dumps(value, **{**options, "ensure_ascii": False})


def render(source: str, letters: int) -> None:
    """Render every dialogue with and without tools. Raises what a limit raises."""
    world = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    world.filters["tojson"] = as_json
    world.globals.update(raise_exception=refuse, strftime_now=str)
    template = world.from_string(source)
    for messages in DIALOGUES:
        for tools in (None, [TOOL]):
            try:
                text = template.render(messages=messages, tools=tools, add_generation_prompt=True, **TOKENS)
            except LIMITS:
                raise
            except Exception:  # noqa: S112 - a template may refuse these turns
                continue
            if len(text) > letters:
                raise OverflowError(f"it wrote {len(text):,} letters for {len(messages)} turns")


def main() -> None:
    """Try the template of stdin: [source, seconds, bytes of memory, letters]."""
    source, seconds, memory, letters = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    try:
        render(source, letters)
    except LIMITS as error:
        print(f"{type(error).__name__}: {error}"[:300])
    except Exception:
        return  # no template at all: rendering states it


if __name__ == "__main__":
    main()
