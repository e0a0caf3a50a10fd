"""The door for notebooks and scripts: a recipe or a pandas frame comes in, a result that shows itself goes out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from tasks.artifact import Version
    from tasks.store.events import Event


@dataclass(frozen=True)
class Result:
    """What a run came to; stages: how each came to its result (cached, run, resumed); dropped: rows by reason."""

    recipe: str
    version: "Version"
    stages: dict[str, str]
    dropped: dict[str, int]

    @property
    def scores(self) -> dict[str, float]:
        """The test scores by name."""
        return dict(self.version.metrics)

    @property
    def verdict(self) -> str:
        """What was decided about the version, and why."""
        return self.version.verdict

    @property
    def uri(self) -> str:
        """Address for `load_model` and for mlflow.pyfunc.load_model."""
        return self.version.uri

    def __repr__(self) -> str:
        from tasks.report_page.result_sections import headline

        return f"{self.version.name} version {self.version.version}: {headline(self.version.report)}; {self.verdict}"

    def _repr_html_(self) -> str:
        """Score with interval, verdict, dropped rows and links, as Jupyter shows them."""
        from tasks.report_page.decision_sections import linked
        from tasks.report_page.html_elements import Content, element, table
        from tasks.report_page.result_sections import headline

        version = self.version
        aliases = "".join(f" @{alias}" for alias in version.aliases)
        gone = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        pages = [
            linked(f"{name} in MLflow", version.links[name]) for name in ("run", "version") if name in version.links
        ]
        rows: list[list[Content]] = [
            ["test", headline(version.report)],
            ["verdict", self.verdict],
            ["dropped rows", gone],
            ["stages", ", ".join(f"{stage} {status}" for stage, status in self.stages.items())],
            ["to load it", element("code", f"load_model({self.uri!r})")],
        ]
        rows += [["link", page] for page in pages]
        return element("div", element("b", f"{version.name} version {version.version}{aliases}"), table(["", ""], rows))


def run(recipe: str | Path, *changes: str) -> Result:
    """Run a recipe as `temper run` does, with changes as `section.key=value`; a line is printed for each stage.

    Raises RecipeError, StageError, DataError, ServiceError.
    """
    from configs.environment import quiet_prefect, quiet_tools

    quiet_tools()
    quiet_prefect()
    from configs.load import load_recipe
    from tasks.data.escape import terminal
    from tasks.store.events import listeners

    from .estimates.disk_space import lack_for
    from .plan import planned
    from .preload import prove_ahead
    from .services.temporary_server import prefect_api

    loaded = load_recipe(_place(recipe), changes)
    stages: dict[str, str] = {}

    def listen(event: "Event") -> None:
        if event.kind == "finished" and event.status is not None:
            stages[event.stage] = event.status
            print(terminal(f"{event.status:<8} {event.stage:<10} {event.seconds:7.1f} s"))

    def warn() -> None:
        if lack := lack_for(loaded, planned(loaded)):
            print(terminal(lack))

    with prefect_api("Prefect", "MLflow", meanwhile=warn), listeners(listen, prove_ahead):
        from .finetune import finetune

        version = finetune(loaded)
    return Result(loaded.name, version, stages, _dropped(loaded))


def _dropped(loaded: Any) -> dict[str, int]:
    """Rows that were dropped, by reason, the commonest first."""
    from tasks.data.ledger import DROPPED, read_ledger

    from .row_inspection import require_cached

    stages = require_cached(loaded, "encode", f"temper run {loaded.name}")
    ledger = read_ledger(stages["encode"].file("ledger.parquet"))
    counts = ledger.loc[ledger["state"] == DROPPED, "reason"].value_counts()
    return {str(reason): int(count) for reason, count in counts.items()}


def report(what: str | Path, *changes: str, out: str | Path | None = None) -> Path:
    """Write the page of a recipe that was run, or of a registered model, as `temper report` does; where it lies.

    Raises RecipeError, StageError.
    """
    from .report import write_report

    return write_report(str(_place(what)), changes, None if out is None else Path(out))


def load_model(name: str) -> Any:
    """A registered model, ready for `predict`: NAME (its champion), NAME@alias, NAME/version or `result.uri`.

    Raises StageError.
    """
    from configs.environment import quiet_tools

    quiet_tools()
    from tasks.tracking import models

    return models.load_model(name, "text", "image", "messages")


def starter_recipe(
    frame: "pd.DataFrame",
    output: str | Path,
    *,
    text: str | None = None,
    label: str | None = None,
    kind: str | None = None,
) -> Path:
    """Write a frame next to `output` as Parquet and a starter recipe that reads it, as `temper init` does; the recipe.

    text, label: columns, else guessed. Raises RecipeError, also where one of the files exists.
    """
    from configs.load import RecipeError
    from tasks.autodetect.located import Hints
    from tasks.data.escape import terminal

    from .starter_recipe import write_starter

    place = Path(output).absolute()
    data = place.with_suffix(".parquet")
    if data.exists():
        raise RecipeError(f"{data} exists and stays as it is; give the recipe another name")
    place.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(data, index=False)
    for name, value in write_starter(str(data), place, kind, Hints(label=label, text=text)):
        print(terminal(f"{name:<7} {value}"))
    return place


def _place(recipe: str | Path) -> Path:
    """A recipe's file: as it is named from here, else from the folder that Temper lies in."""
    from configs.settings import HOME

    here = Path(recipe)
    return HOME / here if not here.exists() and (HOME / here).exists() else here
