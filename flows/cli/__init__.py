"""temper: the command line; each command is declared by the file of its own name."""

import atexit
import logging
import os
import sys

import typer

from configs.environment import quiet_tools

from . import (
    chat,
    compare,
    data,
    doctor,
    history,
    init,
    inspect,
    mask,
    pin,
    plan,
    predict,
    promote,
    rollback,
    run,
    schedule,
    serve,
    trace,
    up,
)

HELP = """Temper turns one YAML recipe into a registered model.

Recipes lie in configs/. Any key of a recipe can be changed for one call: `temper run RECIPE train.epochs=3`.

Settings are environment variables: TEMPER_DATA (where relative source paths start, default ./data),
TEMPER_ARTIFACTS (the cache, default .artifacts), TEMPER_THREADS, MLFLOW_TRACKING_URI, PREFECT_API_URL.

Exit codes: 0 done, 1 a stage failed or Ctrl-C, 2 the recipe or the usage is wrong, 143 stopped by SIGTERM;
of `up` and `serve`, which end in no other way, Ctrl-C and SIGTERM give 0.
"""
MODULES = (run, compare, plan, data, trace, inspect, mask, predict, serve, chat, up, schedule, history, promote,
           rollback, init, pin, doctor)  # fmt: skip


def main() -> None:
    """Entry point of `temper` and `python -m flows`."""
    codes: list[int] = []
    atexit.register(_leave, codes)  # before all others, so that it is done after them
    quiet_tools()
    app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                      rich_markup_mode="markdown")  # fmt: skip
    for module in MODULES:
        app.command(module.__name__.rpartition(".")[2])(module.command)
    try:
        app()
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
