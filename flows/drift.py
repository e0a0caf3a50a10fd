"""Drift of the data since the model's version before: reported once a run has registered a new version."""

import json
from typing import TYPE_CHECKING, Any

from tasks.store.events import Event, emit

if TYPE_CHECKING:
    from tasks.data.drift import DriftLine


def tell_drift(flow: Any, flow_run: Any, state: Any) -> None:
    """Compare the raw rows' profile with that of the version before, as a table of the flow run and on the terminal.

    A hook on the flow's completion, so that it is in no stage and in no key. Says nothing of a first version, of one
    that was registered before, or of equal profiles.
    """
    version = state.result()
    if version.known:
        return
    from tasks.data.drift import drift_table
    from tasks.tracking.run_data import profiles

    compared = profiles(version)
    if compared is None or compared[1] == compared[2]:
        return
    lines = drift_table(*compared[1:])
    _publish(lines, flow_run.id, f"{version.name} version {compared[0]} against version {version.version}")
    moved = [
        f"{line['feature']} ({line['verdict']}, PSI {line['psi']:.3f})" for line in lines if line["verdict"] != "stable"
    ]
    message = f"since version {compared[0]}: {'; '.join(moved) if moved else 'stable'}"
    emit(Event("drift", "note", message))


def _publish(lines: "list[DriftLine]", flow_run_id: Any, about: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactCreate

    table = ArtifactCreate(
        key="drift", type="table", data=json.dumps(lines), description=about, flow_run_id=flow_run_id
    )
    get_client(sync_client=True).create_artifact(table)
