"""Progress of a run on the terminal: a line a stage, a bar while one works, a summary at the end."""

import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from configs.scores import baseline_findings, not_better

from .console import Console, program

if TYPE_CHECKING:
    from tasks.artifact import Version
    from tasks.store.events import Event, StageLine

MARKS = {"cached": ("cached", "cached"), "run": ("done", "good"), "resumed": ("resumed", "warning")}


class ProgressDisplay:
    """Shows the stages' events; everything goes to stderr, so that stdout is the caller's."""

    def __init__(self, beginning: str = "starting Prefect") -> None:
        self.beginning = beginning
        self.console = Console(stderr=True)
        self.stages: list[StageLine] = []
        self.bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.bar: Any = None

    def __enter__(self) -> Self:
        self.bars.start()
        self.bar = self.bars.add_task(self.beginning, total=None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bars.stop()

    def show(self, event: "Event") -> None:
        """Show one event."""
        if event.kind == "started":
            self.bars.reset(self.bar, description=event.stage, total=None)
        elif event.kind == "progress":
            text = f"{event.stage}: {event.text}"
            self.bars.update(self.bar, completed=event.done, total=event.total, description=text)
        elif event.kind == "note":
            self.console.print(f"  {event.stage}: {event.text}")
        elif event.kind == "failed":
            self._line("failed", "bad", event)
        elif event.status is not None:
            self._line(*MARKS[event.status], event)
            self.stages.append(
                {
                    "stage": event.stage,
                    "key": event.key,
                    "status": event.status,
                    "changed": list(event.changed),
                    "seconds": round(event.seconds, 3),
                }
            )

    def print(self, lines: "Iterable[str | Text | Table]") -> None:
        """Print tables and texts above the bar."""
        for line in lines:
            self.console.print(line)

    def _line(self, word: str, colour: str, event: "Event") -> None:
        mark = Text(f"  {word:<8}", colour)
        self.console.print(mark + Text(f" {event.stage:<10} {event.seconds:7.1f} s", ""))

    def summary(self, version: "Version", called: str = "RECIPE", problem: str = "") -> None:
        """The end of a run: scores next to the baselines, the version, where to look; last the commonest problem of the
        data, if any, and the next command. `called`: the recipe and its changes, as the command line has them."""
        out = Console()
        facts = version.report
        table = Table(box=None, pad_edge=False, header_style="bold")
        first, *others = facts["shown"]
        table.add_column("")
        for name in (f"test {first.replace('_', ' ')}", "interval", *(name.replace("_", " ") for name in others)):
            table.add_column(name, justify="right", no_wrap=name == "interval")
        low, high = facts["intervals"].get(first, (math.nan, math.nan))
        cells = [f"{facts['scores'].get(name, math.nan):.4f}" for name in facts["shown"]]
        table.add_row(Text("this model", "bold"), cells[0], f"{low:.4f} – {high:.4f}", *cells[1:])
        for name, values in facts["baselines"].items():
            cells = [f"{values[score]:.4f}" if score in values else "" for score in facts["shown"]]
            table.add_row(name, cells[0], "", *cells[1:])
        out.print()
        out.print(table)
        for line in baseline_findings(facts):
            out.prose(f"The model is {line}.")
        if beaten := not_better(facts):
            out.prose(f"The model is not better than the baseline {' and '.join(beaten)}.", "warning")
        if version.test_evaluations > 1:
            out.prose(
                f"{version.test_evaluations} models were scored on these test rows: the best of many flatters itself."
            )
        aliases = "".join(f" @{alias}" for alias in version.aliases)
        out.prose(
            Text.assemble(
                "\n", (version.name, "bold"), f" version {version.version}", (aliases, "bold"), f": {version.verdict}"
            )
        )
        out.print()
        for line in where_to_look(version.links):
            out.print(line, soft_wrap=True)
        out.print(f"Report:  {program()} report {called}", soft_wrap=True)
        if problem:
            out.print(f"{problem}; {program()} data {called}", soft_wrap=True)
        alias = f"@{version.aliases[0]}" if version.aliases else f"/{version.version}"
        what = to_try(facts["content"], version.example)
        line = (
            f"chat {version.name}{alias}" if facts["content"] == "messages" else f"predict {version.name}{alias} {what}"
        )
        out.print(f"Try:     {program()} {line}", soft_wrap=True)


def to_try(content: str, example: str | None) -> str:
    """What the next command predicts: a test row's own text, since a model of another language reads no English."""
    if content == "image" or example is None:
        return "IMAGE.png" if content == "image" else "TEXT"
    return shlex.quote(example)


def where_to_look(links: Mapping[str, str]) -> list[str]:
    """The pages of a run, or what shows them."""
    from configs.settings import settings

    place = settings()
    if not links and place.tracking == place.database:
        return [f"Look:    {program()} up"]
    mlflow = links.get("run") or f"mlflow server --backend-store-uri {place.shown_tracking}"
    return [f"MLflow:  {mlflow}", f"Prefect: {links.get('flow_run') or f'{program()} up'}"]


@contextmanager
def row_bar() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; takes rows done, and of how many."""
    columns = (
        TextColumn("predicting", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("predicting", total=None)
        yield lambda done, of: bars.update(task, completed=done, total=of)
