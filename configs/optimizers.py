"""Optimisers: `train.optimizer` in a recipe, with PyTorch's names, fields and defaults."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive, Share

NotNegative = Annotated[float, Field(ge=0)]
AboveZero = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Adamw:
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"
    """This kind of optimiser."""
    weight_decay: NotNegative = 0.0
    """Decoupled weight decay."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Decay of the running means."""
    eps: AboveZero = 1e-8
    """Added to the denominator."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Adam:
    """Adam."""

    kind: Literal["adam"]
    """This kind of optimiser."""
    weight_decay: NotNegative = 0.0
    """L2 penalty."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Decay of the running means."""
    eps: AboveZero = 1e-8
    """Added to the denominator (Keras uses 1e-7)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Sgd:
    """Stochastic gradient descent."""

    kind: Literal["sgd"]
    """This kind of optimiser."""
    momentum: Share = 0.0
    """Momentum."""
    nesterov: bool = False
    """Nesterov's momentum."""
    weight_decay: NotNegative = 0.0
    """L2 penalty."""

    @model_validator(mode="after")
    def _moving(self) -> "Sgd":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Rmsprop:
    """RMSprop."""

    kind: Literal["rmsprop"]
    """This kind of optimiser."""
    alpha: Share = 0.99
    """Decay of the running mean."""
    momentum: Share = 0.0
    """Momentum."""
    eps: AboveZero = 1e-8
    """Added to the denominator."""
    weight_decay: NotNegative = 0.0
    """L2 penalty."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Adagrad:
    """Adagrad."""

    kind: Literal["adagrad"]
    """This kind of optimiser."""
    eps: AboveZero = 1e-10
    """Added to the denominator."""
    weight_decay: NotNegative = 0.0
    """L2 penalty."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Adadelta:
    """Adadelta."""

    kind: Literal["adadelta"]
    """This kind of optimiser."""
    rho: Share = 0.9
    """Decay of the running mean."""
    eps: AboveZero = 1e-6
    """Added to the denominator."""
    weight_decay: NotNegative = 0.0
    """L2 penalty."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Rprop:
    """Resilient backpropagation: steps by the sign of the gradient alone, meant for the whole set as one batch."""

    kind: Literal["rprop"]
    """This kind of optimiser."""
    etas: tuple[Share, Annotated[float, Field(gt=1)]] = (0.5, 1.2)
    """Factors by which a step shrinks or grows."""
    step_sizes: tuple[AboveZero, AboveZero] = (1e-6, 50.0)
    """Smallest and largest step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Lbfgs:
    """Limited-memory BFGS: evaluates each batch several times; meant for large batches and small models."""

    kind: Literal["lbfgs"]
    """This kind of optimiser."""
    max_iter: Positive = 20
    """Iterations per batch."""
    history_size: Positive = 100
    """Updates that the approximation of the curvature remembers."""
    tolerance_grad: NotNegative = 1e-7
    """Largest gradient at which a batch counts as solved."""
    tolerance_change: NotNegative = 1e-9
    """Smallest change of loss or weights that is worth another iteration."""
    line_search: Literal["none", "strong_wolfe"] = "none"
    """How the length of a step is found."""


Optimizer = Annotated[Adamw | Adam | Sgd | Rmsprop | Adagrad | Adadelta | Rprop | Lbfgs, Field(discriminator="kind")]
