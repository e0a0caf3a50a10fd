"""A call of a tool that a Python function answers -> its tool message. Only a chat whose user allows the tool asks."""

import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ...data.dialogues.messages import Message


def call_entry_point(entry: str, function: Mapping[str, Any]) -> Message:
    """Call `package.module:function` with a call's arguments; whatever goes wrong is the message's content."""
    try:
        result = _function(entry)(**function["arguments"])
        content = json.dumps(result, ensure_ascii=False, allow_nan=False)
    except (Exception, SystemExit) as error:  # a function of the user's: its faults are the model's to read
        message = f"{entry} failed ({type(error).__name__}: {error})"
        content = json.dumps({"error": message}, ensure_ascii=False)
    return {"role": "tool", "name": function["name"], "content": content}


def _function(entry: str) -> Callable[..., Any]:
    module, _, name = entry.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
