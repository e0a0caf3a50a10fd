"""temper gc: what of the disk nothing needs any more, why, and how much it is; deleted where that is asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tasks.store.sizes import in_bytes

from ..services.stores import require
from .arguments import AsJson
from .console import Console, print_json, print_line
from .failures import failures

if TYPE_CHECKING:
    from tasks.store.sweep import Decision

    from ..collect import Rules

Collected = tuple["Sequence[Decision]", list[str], "Sequence[Decision]"]
"""What was decided, the MLflow runs that go, and what went."""
DryRun = Annotated[bool, typer.Option("--dry-run/--delete", help="Show what would be deleted, or delete it.")]
KeepDays = Annotated[
    float | None,
    typer.Option("--keep-days", min=1, help="Days to keep what nothing needs after its last use (TEMPER_KEEP_DAYS)."),
]
KeepRuns = Annotated[
    int | None,
    typer.Option("--keep-runs", min=1, help="Latest runs of each recipe that keep their artifacts (TEMPER_KEEP_RUNS)."),
]
Budget = Annotated[
    float | None,
    typer.Option("--budget-gib", min=0, help="GiB that the store may have; beyond it, what nothing needs goes sooner."),
]
OfRemote = Annotated[
    bool, typer.Option("--remote", help="Of the remote store (TEMPER_REMOTE) in place of this machine's.")
]
OfHub = Annotated[
    bool, typer.Option("--hub", help="Of the Hub's cache, which other programs use too, in place of Temper's store.")
]


def command(
    dry_run: DryRun = True,
    remote: OfRemote = False,
    hub: OfHub = False,
    keep_days: KeepDays = None,
    keep_runs: KeepRuns = None,
    budget_gib: Budget = None,
    as_json: AsJson = False,
) -> None:
    """Show which cached artifacts nothing needs any more, and with --delete delete them.

    Kept are the artifacts that registered versions with an alias were made of, that recipes in configs/ and recipes
    that were run on this home would be served, that the last runs of each recipe used, that runs and processes use
    now, and everything that was used within --keep-days. MLflow runs that a person deleted are removed for good after
    as many days, where no version rests on them. With --delete this home also pins what it needs in the remote store:
    what any home pins stays there. With --hub kept are the repositories that a recipe names, and what any program
    fetched or read within --keep-days.
    """
    from configs.settings import settings

    with failures():
        from tasks.artifact import StageError

        from ..collect import Rules

        if hub and (remote or budget_gib is not None or keep_runs is not None):
            raise StageError(
                "--hub goes with --keep-days and --delete alone: the Hub's cache has no runs and no budget"
            )
        given, notes = settings(), list[str]()
        budget = given.budget_gib if budget_gib is None and not remote else budget_gib
        rules = Rules(keep_days or given.keep_days, keep_runs or given.keep_runs, budget)
        collected = collect_downloads if hub else collect_there if remote else collect_here
        decided, runs, deleted = collected(rules, notes, dry_run)

    if as_json:
        from tasks.store.sweep import described

        print_json(
            {"decisions": described(decided), "mlflow_runs": runs, "deleted": described(deleted), "notes": notes}
        )
        return
    show(decided, runs, rules)
    for note in notes:
        print_line(f"note: {note}")
    where = "--hub " if hub else "--remote " if remote else ""
    print_line(last_line(decided, runs, None if dry_run else deleted, where))


def collect_here(rules: "Rules", notes: list[str], dry_run: bool) -> Collected:
    """What becomes of this machine's store and of MLflow's deleted runs, and what went."""
    from configs.settings import settings
    from tasks.store.sweep import Catalogue, sweep

    require("MLflow")
    from ..collect import decisions, deletable_mlflow_runs, forget_old_runs

    catalogue = Catalogue.read(settings().store)
    decided = decisions(rules, catalogue, notes.append)
    runs = deletable_mlflow_runs(rules, notes.append)
    if dry_run:
        return decided, runs, []
    went = [decision for decision, gone in sweep(settings().store, catalogue, decided) if gone]
    forget_old_runs(rules)
    if runs:
        from tasks.tracking.aliased import remove_deleted

        remove_deleted(runs)
    if settings().remote is not None:
        from ..collect_remote import pin_if_there

        pin_if_there(rules, notes.append)
    return decided, runs, went


def collect_there(rules: "Rules", notes: list[str], dry_run: bool) -> Collected:
    """The same of the remote store, which has no runs."""
    from ..collect_remote import collect_remote

    require("MLflow")
    decided, went = collect_remote(rules, notes.append, dry_run=dry_run)
    return decided, [], went


def collect_downloads(rules: "Rules", notes: list[str], dry_run: bool) -> Collected:
    """The same of the Hub's cache."""
    from ..collect_hub import collect_hub

    decided, went = collect_hub(rules, notes.append, dry_run=dry_run)
    return decided, [], went


def show(decided: "Sequence[Decision]", runs: list[str], rules: "Rules") -> None:
    """What goes, a line per stage, form and reason, and what stays, a line per reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "stage", "what", "count", "size", "why"):
        table.add_column(name, justify="right" if name in ("count", "size") else "left", overflow="fold")
    groups: dict[tuple[bool, str, str, str], list[int]] = {}
    for decision in decided:
        place = (decision.entry.stage, decision.entry.form) if decision.delete else ("", "")
        groups.setdefault((not decision.delete, decision.why, *place), []).append(decision.entry.size)
    for (stays, why, stage, form), sizes in sorted(groups.items()):
        table.add_row(
            "keep" if stays else "delete", stage, form, f"{len(sizes):,}", in_bytes(sum(sizes)), reason(why, rules)
        )
    if runs:
        table.add_row("delete", "", "MLflow run", f"{len(runs):,}", "", "deleted in MLflow, and no version rests on it")
    Console().print(table)


def reason(why: str, rules: "Rules") -> str:
    """A reason with the number of days that stands behind it."""
    from tasks.store.sweep import RECENT, UNNAMED, UNUSED

    days = f"{rules.keep_days:g} day{'' if rules.keep_days == 1 else 's'}"
    unused = {each: f"{each}, and it was not used for {days}" for each in (UNUSED, UNNAMED)}
    return {**unused, RECENT: f"used within {days}"}.get(why, why)


def last_line(decided: "Sequence[Decision]", runs: list[str], went: "Sequence[Decision] | None", where: str) -> str:
    """What it comes to, and what to call next; went: None in a dry run."""
    going = [decision for decision in decided if decision.delete]
    if went is not None:
        spared = len(going) - len(went)
        read = f"; {spared:,} stayed, since they are in use by now" if spared else ""
        return f"deleted: {in_bytes(sum(decision.entry.size for decision in went))}{read}"
    if not going and not runs:
        return "nothing to delete"
    return (
        f"would free {in_bytes(sum(decision.entry.size for decision in going))}; `temper gc {where}--delete` deletes it"
    )
