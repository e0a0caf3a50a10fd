"""race: candidates of a recipe come in; what each scored on validation rows, round by round, goes out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from configs.load import RecipeError
from tasks.advice.halving import ETA, survivors
from tasks.artifact import Artifact, StageError
from tasks.data.errors import DataError
from tasks.store.events import Event, emit

from .candidates import Candidates
from .trial import trial_run, validation_score

if TYPE_CHECKING:
    from tasks.advice.advice_document import Result, Round
    from tasks.advice.validation import Validation, ValidationRows
    from tasks.learn.metrics import Floats

HOPELESS = (RecipeError, StageError, DataError, ArithmeticError, MemoryError)
"""What ends a candidate, and not the race."""
LONGEST = 300
"""Characters of the reason that is kept of a candidate that failed."""


@dataclass(frozen=True)
class Race:
    """A recipe's candidates, its split and encoded rows, the validation rows, and the study that keeps what is made.

    predicted: the probabilities of the validation rows [rows, classes] by candidate and epochs, as they come.
    """

    candidates: Candidates
    own: tuple[Artifact, Artifact]
    rows: "ValidationRows"
    validation: "Validation"
    study: str
    predicted: "dict[tuple[str, int], Floats]" = field(default_factory=dict)

    @property
    def lower(self) -> bool:
        """Whether less is better."""
        return self.validation.objective == "loss"

    def halve(self, epochs: int) -> "list[Round]":
        """Rounds of ETA times the epochs and one in ETA of the candidates, until two are left or fewer. Raises
        StageError where no candidate can be trained."""
        rounds, names = list["Round"](), self.candidates.names
        while True:
            finished = self.round(names, epochs)
            rounds.append(finished)
            scores = {result["candidate"]: result["value"] for result in finished["results"]}
            better = survivors(scores, lower=self.lower)
            if not better:
                reasons = [result["reason"] for result in finished["results"] if result["reason"]]
                raise StageError(f"no candidate could be trained; the last: {reasons[-1]}")
            if len(names) <= ETA or len(better) < ETA:
                return rounds
            names, epochs = [name for name in names if name in better], epochs * ETA

    def round(self, names: Sequence[str], epochs: int) -> "Round":
        """Train candidates for as many epochs, and score them."""
        return {"epochs": epochs, "results": [self._result(name, epochs) for name in names]}

    def _result(self, name: str, epochs: int) -> "Result":
        began = time.monotonic()
        result: Result = {
            "candidate": name,
            "value": None,
            "accuracy": None,
            "seconds": 0.0,
            "key": "",
            "reason": "",
        }
        try:
            result["key"], result["value"], result["accuracy"] = self._train(name, epochs)
        except HOPELESS as error:
            result["reason"] = str(error).splitlines()[0][:LONGEST]
        result["seconds"] = round(time.monotonic() - began, 3)
        ended = result["reason"] or f"{self.validation.objective} {result['value']:.4f}"
        emit(Event("advise", "note", f"{name}, {epochs} epochs: {ended}"))
        return result

    def _train(self, name: str, epochs: int) -> "tuple[str, float, float]":
        """The training's key, the score for which it kept its weights, and its accuracy on the validation rows."""
        from tasks.advice.validation import predict_validation

        subject = self.candidates.subject
        title = f"{subject.recipe.name} {name}, {epochs} epochs"
        key, model = trial_run(title, self.candidates.recipe(name, epochs), subject.recipe, self.own, self.study)
        if model is None:
            raise StageError("the training was stopped")
        probabilities = predict_validation(model, self.rows, subject.recipe.train.eval_batch_size)
        self.predicted[name, epochs] = probabilities
        accuracy = self.validation.score(probabilities, "accuracy").value or 0.0
        return key, validation_score(model, self.validation.objective), accuracy
