"""One study: its trials in Optuna's storage, the one that a kill interrupted, and what each came to.

Exactly one process works on a study at a time (the flow holds its lock), so a trial that Optuna calls running when that
process begins was interrupted: it is taken up again, and its training goes on from its checkpoint. Optuna itself would
leave it running, or need a heartbeat (optuna#2908, #5470).
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from configs.literal import complete
from configs.search import Search
from tasks.artifact import StageError, canonical, digest_text

from .samplers import pruner_of, sampler_of
from .space import drawn, grid

State = Literal["complete", "pruned", "failed", "running"]
STATES: Mapping[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
RUNG = "completed_rung_"
"""How Optuna's successive halving calls what it notes of a trial."""
EXTENDS = ("trials", "hours", "seeds")
"""What may change while a study goes on; anything else of `search` begins another one."""


class TrialLine(TypedDict):
    """One trial in the document of a search. value: of the objective, None unless complete; step: the last validation;
    key: the training's; reason: why it is not complete."""

    number: int
    state: State
    values: dict[str, Any]
    value: float | None
    step: int | None
    seconds: float
    key: str
    reason: str


@dataclass(frozen=True)
class Study:
    """A study that is open, the `search` that it is of, and the score that it is for."""

    search: Search
    objective: str
    optuna: optuna.Study

    @property
    def name(self) -> str:
        """The recipe's name with a digest of what the study is of."""
        return str(self.optuna.study_name)

    @property
    def limit(self) -> int:
        """How many trials there are to be."""
        return min(self.search.trials, len(grid(self.search))) if self.search.sampler == "grid" else self.search.trials

    def next(self) -> Trial | None:
        """The interrupted trial or a new one; None where there are enough."""
        frozen = self.optuna.get_trials(deepcopy=False)
        self.optuna.pruner = pruner_of(self.search, frozen)
        for trial in frozen:
            if trial.state == TrialState.RUNNING:
                return Trial(self.optuna, trial._trial_id)
        return self.optuna.ask() if len(frozen) < self.limit else None

    def values(self, trial: Trial) -> dict[str, Any]:
        """Draw what is not drawn yet: the trial's value per key of the space that it has."""
        return drawn(self.search, trial._suggest)

    def measure(self, trial: Trial, step: int, value: float) -> bool:
        """Note a validation, unless a resumed training repeats it. Whether the trial shall end here."""
        if step not in trial.storage.get_trial(trial._trial_id).intermediate_values:
            trial.report(value, step)
        return bool(trial.should_prune())

    def pruned_before(self, trial: Trial) -> bool:
        """Whether the pruner ended the trial at its last validation, which a kill may have kept from being noted.

        Successive halving notes a rung before it judges it, and would take a noted one for passed: what it noted of the
        last validation is judged again, with the same outcome, since no other trial went on meanwhile.
        """
        frozen = copy.deepcopy(trial.storage.get_trial(trial._trial_id))
        if not frozen.intermediate_values:
            return False
        last = frozen.intermediate_values[max(frozen.intermediate_values)]
        frozen.system_attrs = {
            name: value for name, value in frozen.system_attrs.items() if not (name.startswith(RUNG) and value == last)
        }
        return bool(self.optuna.pruner.prune(self.optuna, frozen))

    def end(self, trial: Trial, value: float | None, facts: Mapping[str, Any]) -> None:
        """What became of a trial: complete with a value; without one pruned, or `failed` with that fact."""
        for name, fact in facts.items():
            trial.set_user_attr(name, fact)
        ended = TrialState.FAIL if "failed" in facts else TrialState.PRUNED
        self.optuna.tell(trial, value, TrialState.COMPLETE if value is not None else ended)

    def lines(self) -> list[TrialLine]:
        """Every trial, in order."""
        return [self._line(trial) for trial in self.optuna.get_trials(deepcopy=False)]

    def _line(self, trial: FrozenTrial) -> TrialLine:
        facts = trial.user_attrs
        return {
            "number": trial.number,
            "state": STATES[trial.state],
            "values": drawn(self.search, lambda key, _: trial.params[key]) if facts else {},
            "value": trial.value if trial.state == TrialState.COMPLETE else None,
            "step": trial.last_step,
            "seconds": facts.get("seconds", 0.0),
            "key": facts.get("key", ""),
            "reason": facts.get("reason", ""),
        }

    def best(self) -> TrialLine | None:
        """The complete trial with the best value, the first of equals; None where none is complete."""
        sign = 1 if self.objective == "loss" else -1
        complete_ones = [line for line in self.lines() if line["value"] is not None]
        return min(complete_ones, key=lambda line: (sign * float(line["value"] or 0), line["number"]), default=None)


def study_name(recipe: str, search: Search, objective: str, basis: object) -> str:
    """The study of a recipe's search: `basis` is all that its trials share (data, code, settings)."""
    stated = {name: value for name, value in complete(search).items() if name not in EXTENDS}
    return f"{recipe}-{digest_text(canonical([stated, objective, basis]))[:12]}"


def open_study(name: str, search: Search, objective: str, storage: str, *, begun: bool) -> Study:
    """The study of this name, begun where there is none. Raises StageError where there must be one (`begun`), or where
    the storage does not answer."""
    from sqlalchemy.exc import SQLAlchemyError

    quiet()
    sampler = sampler_of(search)
    try:
        kept = optuna.storages.RDBStorage(storage)
        known = name in optuna.get_all_study_names(kept)
        if begun and not known:
            raise StageError(
                f"no study {name} was begun: the data, the code, or a value of the recipe or of its search is another "
                "than it was; leave --resume out to begin one"
            )
        study = optuna.create_study(
            storage=kept,
            study_name=name,
            sampler=sampler,
            load_if_exists=True,
            direction="minimize" if objective == "loss" else "maximize",
        )
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        shown = str(error).splitlines()[0]
        raise StageError(f"Optuna's storage cannot be used ({shown}); see the setting TEMPER_STUDIES") from None
    return Study(search, objective, study)


def quiet() -> None:
    """Keep Optuna's own lines off the terminal; warnings stay."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def spread(lines: list[TrialLine]) -> Iterator[tuple[State, int]]:
    """How many trials ended how."""
    for state in ("complete", "pruned", "failed"):
        if count := sum(line["state"] == state for line in lines):
            yield state, count
