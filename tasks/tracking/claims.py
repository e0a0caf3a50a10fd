"""The claim to move a model's champion: of all machines that use one MLflow, one holds it at a time.

MLflow moves an alias whatever it pointed to before. What it keeps unique, in every store, is the name of an experiment:
a claim is an experiment that is named after the model, exists while its holder moves the alias, and is renamed and
deleted at the end. One whose holder was killed expires: clocks of machines are never compared, a claim is over once
another machine has seen it unchanged for DEAD seconds, and its holder moves nothing after HOLD.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from ..artifact import StageError, digest_text
from ..store.events import Event, emit
from .descriptions import NOTE
from .runs import KIND

T = TypeVar("T")
ATTEMPTS = 20
"""Times that a version is judged again because the champion was moved meanwhile."""
CLAIM = "temper.claim"
"""Tag of a claim: which attempt made it."""
HOLDER = "temper.claim.holder"
"""Tag of a claim: machine and process."""
PREFIX = "temper: deciding on "
DEAD = 60.0
"""Seconds after which a claim that another machine sees unchanged is taken over."""
HOLD = 20.0
"""Seconds for which a holder may move the alias; the rest of DEAD is for a request that is under way."""
POLL = 0.2
"""Seconds between two looks of a process that waits."""
LONGEST = 200
"""Characters of a model's name in that of an experiment."""


class ChampionMoved(StageError):
    """The champion is another one than when a decision was made; nothing was moved."""


class ClaimLost(StageError):
    """The claim expired before the champion was moved, or while it was."""


@dataclass(frozen=True)
class Claim:
    """A claim that this process holds; taken: when, by its monotonic clock."""

    client: MlflowClient
    name: str
    attempt: str
    number: str
    taken: float

    def require(self) -> None:
        """Raise ClaimLost where another machine may hold it by now."""
        known = self.client.get_experiment_by_name(self.name)
        if known is None or known.tags.get(CLAIM) != self.attempt or time.monotonic() - self.taken > HOLD:
            raise ClaimLost(f"{self.name!r} took longer than {HOLD:g} s, so that another machine may decide")


def until_unmoved(judge: Callable[[], T]) -> T:
    """Judge, and settle that, again for as long as the champion is another one afterwards: each time, somebody else
    has moved it. Raises ChampionMoved where that happens more than ATTEMPTS times."""
    for _ in range(ATTEMPTS):
        try:
            return judge()
        except ChampionMoved as moved:
            emit(Event("register", "note", f"{moved}; judging again"))
    return judge()


@contextmanager
def claimed(client: MlflowClient, model: str) -> Iterator[Claim]:
    """Hold the claim to move this model's champion; waits for a holder that is at work."""
    claim = _take(client, model)
    try:
        yield claim
    finally:
        _end(client, claim.number, claim.name)


def name_of(model: str) -> str:
    """The experiment's name."""
    return PREFIX + (model if len(model) <= LONGEST else f"{model[:LONGEST]} {digest_text(model)[:12]}")


def _take(client: MlflowClient, model: str) -> Claim:
    name, attempt = name_of(model), uuid.uuid4().hex
    last, since, announced = None, time.monotonic(), False
    while True:
        taken = time.monotonic()
        number, known = _create(client, name, attempt), None
        if number is None:
            known = client.get_experiment_by_name(name)
        if known is not None and known.tags.get(CLAIM) == attempt:  # made by a request whose response was lost
            number = str(known.experiment_id)
        if number is not None:
            return Claim(client, name, attempt, number, taken)
        if known is None:
            continue
        if (state := (known.experiment_id, known.tags.get(CLAIM))) != last:
            last, since = state, time.monotonic()
        elif time.monotonic() - since > DEAD:
            _end(client, str(known.experiment_id), name)
            continue
        if not announced:
            emit(Event("register", "note", f"waiting for {_holder(known)}, which decides on {model}"))
            announced = True
        time.sleep(POLL)


def _create(client: MlflowClient, name: str, attempt: str) -> str | None:
    """Id of the claim; None where there is one already."""
    note = "Made by Temper while it moves a model's champion; deleted when that is done, a minute after a crash."
    holder = f"{socket.gethostname()}:{os.getpid()}"
    tags = {KIND: "custom_model_development", NOTE: note, CLAIM: attempt, HOLDER: holder}
    try:
        return str(client.create_experiment(name, tags=tags))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return None


def _end(client: MlflowClient, number: str, name: str) -> None:
    """Free the name: a deleted experiment keeps its own, and only one that is not deleted can be renamed. Two processes
    that end one claim at once do no harm: the name of a later claim belongs to another experiment."""
    try:
        known = client.get_experiment(number)
        if known.name != name:
            return
        if known.lifecycle_stage != "active":  # a person deleted it in MLflow
            client.restore_experiment(number)
        client.rename_experiment(number, f"{name} (ended, {known.tags.get(CLAIM, number)})")
        client.delete_experiment(number)
    except MlflowException:
        left = client.get_experiment_by_name(name)
        if left is not None and str(left.experiment_id) == number:
            raise


def _holder(known: Experiment) -> str:
    return str(known.tags.get(HOLDER, "another machine"))
