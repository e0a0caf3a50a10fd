"""A dialogue encoding -> the source of a chat template that needs nothing else: what the recipe states is in it."""

import json
from typing import Any

from ...text.chat.chat_template import CLOCK, in_parts
from ...text.chat.encoding import DialogueEncoding
from ...text.chat.template_input import BETWEEN

SYSTEM = """\
{{%- if messages and messages[0]['role'] != 'system' %}}\
{{%- set messages = [{{'role': 'system', 'content': {text}}}] + messages %}}\
{{%- endif %}}
"""
IN_USER = """\
{{%- if messages | length > 1 and messages[0]['role'] == 'system' and messages[1]['role'] == 'user' %}}\
{{%- set messages = [{{'role': 'user', 'content': messages[0]['content'] + {between} + messages[1]['content']}}] \
+ messages[2:] %}}\
{{%- endif %}}
"""
TOOLS = "{{%- if not tools %}}{{%- set tools = {tools} %}}{{%- endif %}}\n"
OPTION = "{{%- set {name} = {value} %}}\n"


def self_contained(encoding: DialogueEncoding) -> str:
    """The template with the recipe's options, its default system text and tools, and a clock that stands still.

    A template without a system turn gets the system text in the first user's, as training wrote it.
    """
    source = encoding.template
    before = [OPTION.format(name=name, value=_literal(value)) for name, value in encoding.template_options.items()]
    if encoding.system is not None:
        text: Any = in_parts({"content": encoding.system})["content"] if encoding.manners.parts else encoding.system
        before.append(SYSTEM.format(text=_literal(text)))
    if encoding.system_in_user and not encoding.manners.parts:
        before.append(IN_USER.format(between=_literal(BETWEEN)))
    if encoding.tools:
        before.append(TOOLS.format(tools=_literal(list(encoding.tools))))
    if "strftime_now" in source:
        before.append(CLOCK)
    return "".join(before) + source


def _literal(value: Any) -> str:
    """A value as Jinja writes it: JSON, but for its word for nothing."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(name)}: {_literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if value is None:
        return "none"
    return json.dumps(value, ensure_ascii=False)
