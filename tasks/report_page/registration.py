"""What a report states about a registered version; tasks/tracking asks MLflow for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Decision:
    """One decision about a model's champion: when (UTC), about which version, in words, by whom and why."""

    at: str
    version: str
    decided: str
    who: str
    why: str


@dataclass(frozen=True)
class Registration:
    """A version as it stands now: its aliases, verdict and run, links to MLflow's pages, the rows that it changed
    against the champion (see kinds/outcomes.py), the decisions about its model, oldest first, and of an export the
    page of its gate as Markdown."""

    name: str
    version: str
    aliases: tuple[str, ...]
    verdict: str
    run_id: str
    test_evaluations: int
    links: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, Any] | None = None
    decisions: tuple[Decision, ...] = ()
    export: str = ""

    @property
    def uri(self) -> str:
        """Address for mlflow.pyfunc.load_model."""
        return f"models:/{self.name}/{self.version}"
