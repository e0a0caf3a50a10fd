"""A chat template (Jinja source) and messages -> text, in transformers' own sandbox."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..data.errors import DataError
from ..data.messages import Message
from .template_limits import TemplateLimit, limited

ROLES = ("bos_token", "eos_token", "unk_token", "pad_token")
"""Names under which a template reads the texts of special tokens."""
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


@dataclass(frozen=True)
class Template:
    """Jinja source and the texts of special tokens that it names (bos_token, eos_token …)."""

    source: str
    texts: dict[str, str]

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
        """Whether the template marks what the model writes by {% generation %}."""
        return re.search(r"\{%-?\s*generation\s*-?%\}", self.source) is not None

    @cached_property
    def _source(self) -> str:
        return CLOCK + self.source if "strftime_now" in self.source else self.source

    def _render(
        self, messages: Sequence[Message], tools: Sequence[Message] | None, generation: bool, *, spans: bool
    ) -> tuple[str, list[tuple[int, int]]]:
        from jinja2.exceptions import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            with limited(self._source):
                texts, found = render_jinja_template(
                    [list(messages)],
                    tools=list(tools) if tools else None,
                    chat_template=self._source,
                    return_assistant_tokens_mask=spans,
                    add_generation_prompt=generation,
                    **self.texts,
                )
        except TemplateLimit as error:
            raise DataError(f"the chat template is refused: {error}") from None
        except (TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
            roles = " ".join(str(message.get("role")) for message in messages)
            raise DataError(f"the chat template refuses the turns [{roles}]: {error}") from None
        return texts[0], found[0] if spans else []


def read_template(folder: Path) -> Template | None:
    """The template kept beside a tokenizer, chat_template.jinja or in tokenizer_config.json; None without one.

    Of several named templates it is `tool_use`, else `default`. Raises DataError for an unreadable file.
    """
    config, own = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    try:
        saved = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
    except json.JSONDecodeError as error:
        raise DataError(f"{config.name}: not JSON ({error}); take the file as it was published") from None
    source = own.read_text(encoding="utf-8") if own.exists() else saved.get("chat_template")
    if isinstance(source, list):
        named = {entry["name"]: entry["template"] for entry in source}
        source = named.get("tool_use", named.get("default"))
    tokens = {role: saved[role] for role in ROLES if saved.get(role)}
    texts = {role: token["content"] if isinstance(token, dict) else token for role, token in tokens.items()}
    return None if source is None else Template(source, texts)
