"""A chat template (Jinja source) and messages -> text, in transformers' own sandbox."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from .template_limits import TemplateLimit, limited

CHATML = """\
{%- set system = messages[0].content if messages and messages[0].role == 'system' else '' %}
{%- if system or tools %}
    {{- '<|im_start|>system\\n' + system }}
    {%- if tools %}
        {{- '\\n\\n' if system else '' }}
        {{- 'You may call these functions, given as JSON, one per line:\\n<tools>\\n' }}
        {%- for tool in tools %}
            {{- tool | tojson + '\\n' }}
        {%- endfor %}
        {{- '</tools>\\nTo call one, write its name and arguments as JSON:\\n' }}
        {{- '<tool_call>\\n{"name": ..., "arguments": {...}}\\n</tool_call>' }}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'system' and loop.first %}
        {%- continue %}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content }}
    {%- for call in message.tool_calls or [] %}
        {{- '\\n' if message.content or not loop.first else '' }}
        {{- '<tool_call>\\n{"name": ' + call.function.name | tojson }}
        {{- ', "arguments": ' + call.function.arguments | tojson + '}\\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
"""The built-in template, for a tokenizer with CHATML_TOKENS and no template of its own."""
CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
CLOCK = """\
{%- macro strftime_now(format) %}\
{{- format | replace('%Y', '2024') | replace('%y', '24') | replace('%m', '07') | replace('%d', '26') \
| replace('%B', 'July') | replace('%b', 'Jul') | replace('%A', 'Friday') | replace('%a', 'Fri') \
| replace('%H', '12') | replace('%M', '00') | replace('%S', '00') }}\
{%- endmacro %}
"""
"""A template that writes today's date would give other prompts when serving than when training: time stands still."""


PROBES = ("Quoz", "Zwixal")
"""Words of the probes; letters only, and none that a template would write."""


def in_parts(message: Message) -> Message:
    """A message with its text as one part, as templates of models that see images may take it."""
    content = message.get("content")
    return {**message, "content": [{"type": "text", "text": content}]} if isinstance(content, str) else message


def without_content(message: Message) -> Message:
    """A message with calls and no text, with null in place of its content."""
    return {**message, "content": None} if message.get("tool_calls") and not message.get("content") else message


@dataclass(frozen=True)
class Template:
    """Jinja source, the texts of special tokens that it reads (bos_token, eos_token …), and options such as
    enable_thinking. parts: it takes content as a list of parts, {"type": "text", "text": …}, not as text. name: its
    file, where it is one of the recipe's. null_content: it writes calls only where the content next to them is null."""

    source: str
    texts: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    parts: bool = False
    name: str = "the chat template"
    null_content: bool = False

    def render(
        self, messages: Sequence[Message], tools: Sequence[Message] | None = None, *, generation: bool = False
    ) -> str:
        """The text of messages, with generation=True up to where the model begins to write. Raises DataError."""
        return self._render(messages, tools, generation, spans=False)[0]

    def spans(self, messages: Sequence[Message], tools: Sequence[Message] | None = None) -> list[tuple[int, int]]:
        """The [start, end) of every {% generation %} block in the rendered text."""
        return self._render(messages, tools, False, spans=True)[1]

    @property
    def has_spans(self) -> bool:
        """Whether the template marks what the model generates by {% generation %}."""
        return re.search(r"\{%-?\s*generation\s*-?%\}", self.source) is not None

    def in_form(self) -> "Template":
        """The same with the form of content in which it writes what a user and the model say; text where none is."""
        asked: list[Message] = [{"role": "user", "content": PROBES[0]}, {"role": "assistant", "content": PROBES[1]}]
        for parts in (False, True):
            shaped = replace(self, parts=parts)
            with suppress(DataError):
                text = shaped.render(asked)
                if all(word in text and f"'{word}'" not in text for word in PROBES):
                    return shaped
        return self

    def _shaped(self, messages: Sequence[Message]) -> list[Message]:
        shaped = list(map(without_content, messages)) if self.null_content else list(messages)
        return list(map(in_parts, shaped)) if self.parts else shaped

    @cached_property
    def _source(self) -> str:
        return CLOCK + self.source if "strftime_now" in self.source else self.source

    def _render(
        self, messages: Sequence[Message], tools: Sequence[Message] | None, generation: bool, *, spans: bool
    ) -> tuple[str, list[tuple[int, int]]]:
        from jinja2.exceptions import TemplateError, TemplateSyntaxError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            with limited(self._source):
                texts, generation_spans = render_jinja_template(
                    [self._shaped(messages)],
                    tools=list(tools) if tools else None,
                    chat_template=self._source,
                    return_assistant_tokens_mask=spans,
                    add_generation_prompt=generation,
                    **{**self.texts, **self.options},
                )
        except TemplateLimit as error:
            raise DataError(f"{self.name} is refused: {error}; take the model's own template, or chatml") from None
        except TemplateSyntaxError as error:
            line = error.lineno - (CLOCK.count("\n") if self._source != self.source else 0)
            raise DataError(f"{self.name}, line {line}: {error.message}; fix the template, which is Jinja") from None
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            roles = " ".join(str(message.get("role")) for message in messages)
            raise DataError(
                f"the chat template refuses the turns [{roles}], as it does in transformers: {error}; change these "
                "turns (merge, cut or drop some in clean), or take another template"
            ) from None
        return texts[0], generation_spans[0] if spans else []
