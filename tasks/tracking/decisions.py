"""What was decided about a model's champion, by whom, why and when: a log in the registry, in the order it happened."""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..artifact import StageError
from ..documents import Changed
from . import claims, runs
from .edited import json_object
from .wire_format import CANDIDATE, CHAMPION, DECISION, DECISION_ENTRY, DECISIONS

LOG = "temper.decisions"
"""Tag of a registered model: its last decision, in a line; the log itself lies in the runs of its versions."""
RECORDED = "temper.champion"
"""Tag of a registered model: the champion that the last decision left. Another one was set by a person, in MLflow."""
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's codes for an alias, version or model that is not there."""

Action = Literal["register", "promote", "rollback", "export"]


@dataclass(frozen=True)
class Entry:
    """One decision: about which version, the champion before and after (versions), in words, by whom, when (UTC).

    One that is made now is made by the user of this process.
    """

    action: Action
    version: str
    before: str | None
    after: str | None
    decided: str
    why: str
    who: str = field(default_factory=runs.user)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))

    @property
    def moment(self) -> str:
        """When, as names of tags and files can hold it."""
        return re.sub(r"\D", "", self.at.partition("+")[0])


def champion(client: MlflowClient, name: str) -> ModelVersion | None:
    """The current champion; None where the model has none."""
    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise


def recorded_champion(client: MlflowClient, name: str) -> str | None:
    """The version that the last decision left as champion; None where none was decided."""
    tag = client.get_registered_model(name).tags.get(RECORDED)
    return tag if tag is not None else next(reversed(succession(entries(client, name), None)), None)


def keep(client: MlflowClient, about: ModelVersion, decision: Entry, further: Mapping[str, Any] | None = None) -> None:
    """Put a decision, and what it rests on, into the run of a version that it is about."""
    document = {**asdict(decision), **(further or {})}
    client.log_dict(str(about.run_id), document, f"{DECISIONS}/{about.name}-{about.version}-{decision.moment}.json")


def changed(client: MlflowClient, about: ModelVersion) -> Changed | None:
    """Rows that a version predicts better and worse than the champion that it was last compared with; None where it was
    compared with none, or the record is gone."""
    if not about.run_id:
        return None
    own = re.compile(rf"{DECISIONS}/{re.escape(str(about.name))}-{about.version}-\d+\.json")
    try:
        kept = [item.path for item in client.list_artifacts(str(about.run_id), DECISIONS)]
        newest = max((path for path in kept if own.fullmatch(path)), default=None)
        if newest is None:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            record = json_object(Path(client.download_artifacts(str(about.run_id), newest, scratch)))
    except (MlflowException, OSError, ValueError):
        return None
    rests_on = record.get("evidence")
    changes: Changed | None = rests_on.get("changed") if isinstance(rests_on, dict) else None
    return changes


def apply(client: MlflowClient, name: str, decision: Entry, further: Mapping[str, Any] | None = None) -> None:
    """Move the alias as the decision says, then write it down, with what it rests on.

    The alias first: a log that holds a move which was cut off would lead a rollback astray, while one that lacks a
    move is corrected by the next entry, which says what it found. Raises ChampionMoved where another process, on
    whatever machine, or a person has moved the champion since the decision was made.
    """
    if decision.after is None or decision.after == decision.before:
        _require_unmoved(client, name, decision)
        if decision.decided in ("kept", "undecided"):
            client.set_registered_model_alias(name, CANDIDATE, decision.version)
        _write_down(client, name, decision, further)
        return
    try:
        with claims.claimed(client, name) as claim:
            _require_unmoved(client, name, decision)
            claim.require()
            client.set_registered_model_alias(name, CHAMPION, decision.after)
            claim.require()
            if CANDIDATE in client.get_model_version(name, decision.after).aliases:
                client.delete_registered_model_alias(name, CANDIDATE)
            _write_down(client, name, decision, further)
    except claims.ClaimLost as lost:
        _take_back(client, name, decision)
        raise claims.ChampionMoved(str(lost)) from None


def _require_unmoved(client: MlflowClient, name: str, decision: Entry) -> None:
    now = champion(client, name)
    current = None if now is None else str(now.version)
    if current != decision.before:
        raise claims.ChampionMoved(
            f"the champion of {name} is version {current}, and was {decision.before} when this was decided; "
            "nothing was moved by it"
        )


def _take_back(client: MlflowClient, name: str, decision: Entry) -> None:
    """Undo a move that came so late that another machine had taken over: what that one decided is the champion."""
    with claims.claimed(client, name):
        now, log = champion(client, name), entries(client, name)
        others = [entry.after for entry in log if entry.before == decision.before and entry.after != decision.before]
        if others and now is not None and str(now.version) == decision.after and decision.after not in others:
            client.set_registered_model_alias(name, CHAMPION, succession(log, None)[-1])


def _write_down(client: MlflowClient, name: str, decision: Entry, further: Mapping[str, Any] | None) -> None:
    versions = [
        client.get_model_version(name, number)
        for number in (decision.version, decision.after, decision.before)
        if number
    ]
    about = next((version for version in versions if version.run_id), None)
    if about is None:  # of versions without runs, which somebody else registered, a tag is all there is
        client.set_registered_model_tag(
            name, DECISION_ENTRY + decision.moment, json.dumps(asdict(decision), ensure_ascii=False)
        )
    else:
        keep(client, about, decision, further)
    when = decision.at[:16].replace("T", " ")
    description = (
        f"version {decision.version} {decision.decided}, {when} UTC, by {decision.who}; all: temper history {name}"
    )
    client.set_registered_model_tag(name, LOG, description)
    if decision.after is not None:
        client.set_registered_model_tag(name, RECORDED, decision.after)
    client.set_model_version_tag(name, decision.version, DECISION, decision.decided)


def entries(client: MlflowClient, name: str) -> list[Entry]:
    """The log, oldest first. Raises StageError where there is no such model, or an entry cannot be read."""
    try:
        model = client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code in ABSENT:
            raise StageError(f"there is no registered model {name!r}; `temper run` registers one") from None
        raise
    by_place: dict[str, Entry] = {}
    for run_id in {
        str(version.run_id) for version in client.search_model_versions(f"name = '{name}'") if version.run_id
    }:
        for place, text in _kept(client, run_id, name):
            _add(by_place, f"{place} in the run {run_id}", text)
    for key in (key for key in model.tags if key.startswith(DECISION_ENTRY)):
        _add(by_place, f"the tag {key} of {name}", model.tags[key])
    born = model.creation_timestamp or 0  # a run outlives a model of this name that was deleted before
    return [by_place[at] for at in sorted(by_place) if datetime.fromisoformat(at).timestamp() * 1000 >= born]


def lost(versions: Iterable[ModelVersion], log: Sequence[Entry]) -> list[str]:
    """Numbers of the versions that something was decided about and of which the log has no entry any more: somebody
    deleted the files of their runs."""
    known = {entry.version for entry in log}
    decided = (str(version.version) for version in versions if DECISION in version.tags)
    return [number for number in decided if number not in known]


def _kept(client: MlflowClient, run_id: str, name: str) -> Iterator[tuple[str, bytes]]:
    """Paths and bytes of the decisions about a model that lie in a run; nothing of a run that is gone for good."""
    own = re.compile(rf"{DECISIONS}/{re.escape(name)}-\d+-\d+\.json")
    try:
        paths = [item.path for item in client.list_artifacts(run_id, DECISIONS) if own.fullmatch(item.path)]
        with tempfile.TemporaryDirectory() as scratch:
            for path in paths:
                yield path, Path(client.download_artifacts(run_id, path, scratch)).read_bytes()
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise


def _add(by_place: dict[str, Entry], place: str, text: str | bytes) -> None:
    try:
        values = json.loads(text)
        decision_entry = Entry(**{each.name: values[each.name] for each in fields(Entry)})
        for each in fields(Entry):
            if not isinstance(value := values[each.name], str) and (value is not None or "None" not in str(each.type)):
                raise TypeError(f"its {each.name} is {value!r}")
        by_place[datetime.fromisoformat(decision_entry.at).isoformat()] = decision_entry
    except (ValueError, TypeError, KeyError) as error:
        raise StageError(f"{place} is no decision ({type(error).__name__}: {error}); delete it in MLflow") from None


def succession(log: Sequence[Entry], current: str | None) -> list[str]:
    """Versions that were champion and are not taken back, the current one last.

    A promotion puts one on top, a rollback takes one off. Where an entry, or the registry now, has another champion
    than the one on top, somebody moved the alias outside Temper, which counts as a promotion.
    """
    stack: list[str] = []
    for entry in log:
        _meet(stack, entry.before)
        if entry.action == "rollback":
            while stack and stack[-1] != entry.after:
                stack.pop()
        _meet(stack, entry.after)
    _meet(stack, current)
    return stack


def _meet(stack: list[str], champion: str | None) -> None:
    if champion is not None and stack[-1:] != [champion]:
        stack.append(champion)
