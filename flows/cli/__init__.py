"""temper: the command line. A command is the file of its own name here, and is loaded when it is called.

Inside a command imports stand at the top of the file, except of what takes long to load and its `--help` does not need,
nor a wrong argument: the recipe's schema (half a second), tables, torch, Prefect and MLflow.
"""

import atexit
import importlib
import logging
import os
import sys
from inspect import cleandoc
from typing import Any

import typer

from configs.environment import quiet_tools

from .help_colours import Command, Group

HELP = """Temper turns one YAML recipe into a registered model.

Recipes lie in configs/. Any key of a recipe can be changed for one call: `temper run RECIPE train.epochs=3`.

Settings are environment variables: TEMPER_DATA (where relative source paths start, default ./data),
TEMPER_ARTIFACTS (the cache, default .artifacts), TEMPER_THREADS, MLFLOW_TRACKING_URI, PREFECT_API_URL.

Exit codes: 0 done, 1 a stage failed, a limit refused the run, or Ctrl-C, 2 the recipe or the usage is wrong,
143 stopped by SIGTERM;
of `up` and `serve`, which end in no other way, Ctrl-C and SIGTERM give 0.
"""
COMMANDS = {
    "run": "Run a recipe: whatever is done already is served from the cache, the rest is done and registered.",
    "compare": "Train recipes over several seeds on the same split and report, by a paired test, which is better.",
    "distill": "Train a student with its teachers and without, over several seeds, and report what it gains and saves.",
    "label": "Label texts that have no label by registered models, for a recipe to train on (pseudo-labels).",
    "search": "Try the settings that a recipe's `search` names, and report whether the best is better than luck.",
    "advise": "Measure what a pretrained model knows of your rows, race four ways to train it, and recommend one.",
    "plan": "Show per stage whether it is cached, and which part of its key changed since the nearest earlier run.",
    "data": "Show what each stage kept and dropped, the commonest reasons, and how labels fall into the parts.",
    "trace": "Show one row's way: raw, expectations it breaks, cleaned, split, tokens and labels, prediction.",
    "inspect": "Show what the trained model makes of one row: image or text, true class, probability of each class.",
    "report": "Write what a run came to as one HTML page: data, masks, curves, test, decision, lineage.",
    "mask": "Show training rows as decoded tokens: supervised ones (they carry loss) on green, given ones dim.",
    "predict": "Predict with a registered model: one text or image, or every row of a file or folder.",
    "serve": "Serve a registered model over HTTP with `mlflow models serve`, for this machine only.",
    "chat": "Talk to a registered model: its tools answer its calls, what they return goes back to it.",
    "up": "Start both servers and every recipe in configs/ that has a schedule; stop all of it on Ctrl-C.",
    "schedule": "Put recipes on the schedule that they name (`schedule:`, cron or interval), as Prefect deployments.",
    "export": "Export a registered model to another form, and register it if it predicts the same.",
    "history": "Show a model's versions (aliases, verdict, test scores) and what was decided, by whom, why and when.",
    "promote": "Make a version champion by hand, against or without a verdict; who, why and when are recorded.",
    "rollback": "Take the last promotion back: the version that was champion before is champion again. It is recorded.",
    "init": "Inspect data and write a starter recipe whose remarks say what was seen and what to change.",
    "schema": "Print the JSON Schema of recipes, by which editors complete and explain their keys.",
    "pin": "Write into a recipe the commits that its branches and tags on the Hub stand for now.",
    "pull": "Bring a registered version's artifacts from the remote store, so that a rerun of its recipe is served.",
    "gc": "Show which cached artifacts nothing needs any more, and with --delete delete them.",
    "drill": "Plant each known fault in a small copy of a recipe's pipeline, and show which gate catches it.",
    "doctor": "Show what this machine has for Temper, what is broken, and how to fix it.",
}
"""Every command with its one line of help: the first line of its docstring, so that `--help` loads none of them."""


class Commands(Group):
    """Commands by name, each loaded from the module of its name when it is called, and no other with it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the first word names, loaded. Raises a usage error that suggests names like it."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, known and load_command(str(name)), rest


def load_command(name: str) -> Any:
    """The command of this name, from its module."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
    app.command(name, cls=Command)(importlib.import_module(f"{__name__}.{name}").command)
    return typer.main.get_command(app)


def main() -> None:
    """Entry point of `temper` and `python -m flows`."""
    codes: list[int] = []
    atexit.register(_leave, codes)  # before all others, so that it is done after them
    quiet_tools()
    listed = [Command(name, help=line, rich_markup_mode="markdown") for name, line in COMMANDS.items()]
    group = Commands(
        name="temper", commands=listed, help=cleandoc(HELP), no_args_is_help=True, rich_markup_mode="markdown"
    )
    try:
        group()
    except SystemExit as ended:
        if isinstance(ended.code, int):
            codes.append(ended.code)
        raise


def _leave(codes: list[int]) -> None:
    """End the process without freeing its objects one by one, which takes seconds where torch and Great Expectations
    are loaded (mypy ends so too); threads have been waited for, and what others do at exit is done."""
    if not codes:
        return
    logging.shutdown()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads any more: the interpreter has its own way and code for that
        return
    os._exit(codes[0])


if __name__ == "__main__":
    main()
