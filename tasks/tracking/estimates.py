"""What a run was estimated to take and took, on its MLflow run."""

from collections.abc import Mapping, Sequence

from . import keys, runs

FILE = "estimates.json"


def log_estimates(
    run_id: str, stages: Sequence[Mapping[str, object]], values: Mapping[str, float], tags: Mapping[str, str]
) -> None:
    """Keep both next to each other on the training's run: a file with a line per stage, metrics of all stages together
    and a tag per stage; a later run of the same training, which computes other stages, replaces what it measured."""
    client = runs.client()
    runs.log_values(client, run_id, values)
    keys.log_tags(client, run_id, tags)
    client.log_dict(run_id, {"stages": list(stages)}, FILE)
