"""A tokenizer's folder -> the chat template that it keeps, and the special tokens that templates read."""

import json
from pathlib import Path
from typing import Any

from ...data.errors import DataError
from .chat_template import Template

CONFIG, OWN, FOLDER = "tokenizer_config.json", "chat_template.jinja", "additional_chat_templates"
MAP = "special_tokens_map.json"
DEFAULT, FOR_TOOLS = "default", "tool_use"


def read_template(folder: Path, *, tools: bool = False, name: str | None = None) -> Template | None:
    """The template kept next to a tokenizer; None without one.

    Of several it is the one called `name`, else with tools `tool_use`, else `default`, as transformers chooses.
    Raises DataError for an unreadable file, and for a name that is not there.
    """
    named = _named(folder)
    if name is not None and name not in named:
        known = ", ".join(sorted(named)) or "none"
        raise DataError(f"encode.template_name: the tokenizer has no chat template {name!r}; name one of: {known}")
    if named and name is None and DEFAULT not in named and not (tools and FOR_TOOLS in named):
        raise DataError(
            f"the tokenizer has the chat templates {', '.join(sorted(named))} and none of them is the default; "
            "name one in encode.template_name"
        )
    chosen = name or (FOR_TOOLS if tools and FOR_TOOLS in named else DEFAULT)
    return Template(named[chosen], read_texts(folder)) if named else None


def template_file(path: Path) -> Template:
    """A template of the recipe's own. Raises DataError where it is no text in UTF-8."""
    try:
        return Template(path.read_text(encoding="utf-8"), {}, name=str(path))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no text in UTF-8 ({error.reason}); write the chat template again as UTF-8") from None


def read_texts(folder: Path) -> dict[str, Any]:
    """The special tokens by the names that templates read, of both files; tokenizer_config.json has the last word."""
    texts: dict[str, Any] = {}
    for file in (MAP, CONFIG):
        saved = _json(folder / file)
        extra = saved.get("extra_special_tokens")
        pairs = {**saved, **(extra if isinstance(extra, dict) else {})}
        texts |= {role: _text(token) for role, token in pairs.items() if role.endswith("_token") and _text(token)}
    return texts


def _text(token: Any) -> str | None:
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) and text else None


def _named(folder: Path) -> dict[str, str]:
    """Every template by its name."""
    source = _json(folder / CONFIG).get("chat_template")
    named: dict[str, str] = {}
    if isinstance(source, list):
        named = {entry["name"]: entry["template"] for entry in source}
    elif isinstance(source, str):
        named = {DEFAULT: source}
    if (folder / OWN).exists():
        named[DEFAULT] = (folder / OWN).read_text(encoding="utf-8")
    template_paths = sorted((folder / FOLDER).glob("*.jinja"))
    return named | {path.stem: path.read_text(encoding="utf-8") for path in template_paths}


def _json(path: Path) -> dict[str, Any]:
    try:
        saved = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name}: not JSON ({error}); take the file as it was published") from None
    return saved if isinstance(saved, dict) else {}
