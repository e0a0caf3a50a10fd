"""Any text -> a key that MLflow takes for a parameter, metric or tag, one for each text; and batches of them."""

import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

LONGEST = 250
"""Characters of a key."""
LONGEST_VALUE = 6000
"""Characters of a parameter's value; of a tag's there may be more."""
BATCH = 100
"""Parameters or tags in one request; of metrics there may be more."""
REFUSED = re.compile(r"[^\w./ -]")
"""What MLflow takes in a key on every system is letters, digits, `_`, `-`, `.`, `/` and the space."""
MARKED = re.compile(r"-[0-9a-f]{12}")
DIGITS = 12


def key(text: str) -> str:
    """The text itself where MLflow takes it; else what is left of it, with a digest of the whole behind it.

    A text that ends like such a digest gets one too, so that no two texts have one key.
    """
    fits = text == REFUSED.sub("_", text) and len(text) <= LONGEST and not MARKED.fullmatch(text[-DIGITS - 1 :])
    if fits and posixpath.normpath(text) == text and text.strip() == text and not text.startswith((".", "/")):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:DIGITS]
    plain = REFUSED.sub("_", text).replace("/", "_").strip(" ").lstrip(".")[: LONGEST - DIGITS - 1]
    return f"{plain}-{digest}"


def value(content: object) -> str:
    """A parameter's value as MLflow keeps it: long ones are cut."""
    text = str(content)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def params(values: Mapping[str, object]) -> dict[str, str]:
    """Parameters by key."""
    return {key(name): value(content) for name, content in values.items()}


def log_params(client: MlflowClient, run_id: str, values: Mapping[str, object]) -> None:
    """Write those that the run has not, whatever their number; one that was cut off while it was made is completed."""
    known = client.get_run(run_id).data.params
    fresh = [Param(name, content) for name, content in params(values).items() if name not in known]
    for start in range(0, len(fresh), BATCH):
        client.log_batch(run_id, params=fresh[start : start + BATCH])


def log_metrics(client: MlflowClient, run_id: str, metrics: Sequence[Metric]) -> None:
    """Write metrics, whose names are keys already, whatever their number."""
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def log_tags(client: MlflowClient, run_id: str, tags: Mapping[str, str]) -> None:
    """Write tags, whatever their number."""
    written = [RunTag(key(name), content) for name, content in tags.items()]
    for start in range(0, len(written), BATCH):
        client.log_batch(run_id, tags=written[start : start + BATCH])
