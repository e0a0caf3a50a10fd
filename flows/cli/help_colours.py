"""Help and usage errors in colours that can be read on white and on black, which typer's own cannot."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from .console import COLOURS

STYLES = {
    "good": ("STYLE_SWITCH",),
    "bad": ("STYLE_NEGATIVE_SWITCH", "STYLE_REQUIRED_SHORT", "STYLE_REQUIRED_LONG", "STYLE_ERRORS_PANEL_BORDER"),
    "warning": ("STYLE_TYPES", "STYLE_USAGE", "STYLE_OPTION_ENVVAR"),
    "name": ("STYLE_OPTION", "STYLE_NEGATIVE_OPTION", "STYLE_COMMANDS_TABLE_FIRST_COLUMN"),
    "quiet": ("STYLE_TYPES_SEPARATOR", "STYLE_OPTION_DEFAULT", "STYLE_ERRORS_SUGGESTION"),
    "plain": ("STYLE_HELPTEXT",),
}
"""By a style of the console's the names that typer has for it."""


def colour_help() -> None:
    """Set the colours; typer's part that draws takes a tenth of a second to load, so only where it is about to draw."""
    from rich.default_styles import DEFAULT_STYLES
    from rich.style import Style
    from typer import rich_utils

    for style, names in STYLES.items():
        for name in names:
            setattr(rich_utils, name, COLOURS[style])
    DEFAULT_STYLES["markdown.code"] = Style.parse(COLOURS["name"])
    rich_utils.RICH_HELP = rich_utils.RICH_HELP.replace("[blue]", "[bold]")


class Command(TyperCommand):
    """A command with a help in these colours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Draw the help."""
        colour_help()
        super().format_help(ctx, formatter)


class Group(TyperGroup):
    """Commands with help and usage errors in these colours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Draw the help."""
        colour_help()
        super().format_help(ctx, formatter)

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """What the words of the command line mean. Raises a usage error."""
        return _coloured(super().make_context, *arguments, **more)

    def invoke(self, ctx: Any) -> Any:
        """The command. Raises its usage errors."""
        return _coloured(super().invoke, ctx)


def _coloured(call: Any, *arguments: Any, **more: Any) -> Any:
    try:
        return call(*arguments, **more)
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if isinstance(error, typer.BadParameter):
            error.message = error.message.removeprefix("Value error, ")  # pydantic's word, of whom typer asks it
        colour_help()
        raise
