"""What Prefect's page of a run shows before an artifact is opened: tags in its head, states in its log."""

import time
from collections.abc import Sequence

from .artifact import Artifact, Version
from .published import in_task
from .store.changes import all_in_words
from .store.events import Status

COUNTS = {"in": "rows in", "out": "rows out", "dropped": "dropped"}
"""Counts of a manifest, and their words."""


def account(result: Artifact | Version, status: Status, changed: Sequence[str], seconds: float) -> str:
    """In a line, a stage's rows and how it came to its result; of a registration the verdict and where it is."""
    if not isinstance(result, Artifact):
        aliases = "".join(f" @{alias}" for alias in result.aliases)
        pages = "".join(f"; {name}: {address}" for name, address in result.links.items())
        return f"{result.name} version {result.version}{aliases}: {result.verdict}{pages}"
    manifest = result.manifest()
    rows = ", ".join(
        f"{manifest['rows'][name]:,} {words}" for name, words in COUNTS.items() if name in manifest["rows"]
    )
    if status == "cached":
        made_by = manifest["made"]
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(made_by["at"]))
        return f"{rows}; served from the store, where {result.key[:8]} was made in {made_by['seconds']} s at {when} UTC"
    reasons = all_in_words(list(changed), result.stage)[:5]
    why = f"; why: {'; '.join(reasons)}" if reasons else ""
    return f"{rows}; {'resumed and ' if status == 'resumed' else ''}made in {seconds:.1f} s{why}"


def tag_run(result: Artifact | Version) -> None:
    """Tag the flow run with the sizes of the parts, or with a registration's score, alias and verdict."""
    tags = _tags_of_version(result) if isinstance(result, Version) else _tags_of_parts(result)
    if not tags or not in_task():
        return
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    with get_client(sync_client=True) as api:
        known = api.read_flow_run(context.flow_run.id).tags
        api.update_flow_run(context.flow_run.id, tags=list(dict.fromkeys([*known, *tags])))


def _tags_of_parts(artifact: Artifact) -> list[str]:
    """Of `split` how many rows each part has."""
    ledger = artifact.file("ledger.parquet")
    if artifact.stage != "split" or not ledger.is_file():
        return []
    from .data.ledger import PARTS, read_ledger

    counts = read_ledger(ledger)["state"].value_counts()
    return [f"{', '.join(f'{int(counts.get(part, 0)):,} {part}' for part in PARTS)} rows"]


def _tags_of_version(version: Version) -> list[str]:
    first = next((name for name in version.report["shown"] if name in version.metrics), None)
    score = [] if first is None else [f"{first.replace('_', ' ')} {version.metrics[first]:.4f}"]
    aliases = "".join(f" @{alias}" for alias in version.aliases)
    return [*score, f"{version.name} {version.version}{aliases}", version.verdict.partition(":")[0]]
