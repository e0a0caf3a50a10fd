"""Phases: what each trains, what it holds still, and the proof of what moved."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from re import sub
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from configs.phases import Children, Members, Phase
from configs.schema import Train

from ..data.errors import DataError


@dataclass(frozen=True)
class Layout:
    """A model's parts as a person names them.

    shown: parameter to the name without the wrapper's prefix. children: prefixes of the children, in the model's order,
    the head's last. head: parameters of the classification layers. fresh: parameters that start new while others were
    loaded. output: the layer that yields the logits. probe: whether a training without phases is of the head alone.
    new: whether nothing was loaded.
    """

    shown: Mapping[str, str]
    children: tuple[str, ...]
    head: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    output: nn.Module | None = None
    probe: bool = False
    new: bool = False


@dataclass(frozen=True)
class Plan:
    """A phase: its section (train's, with the phase's values), what moves, and the rate of each parameter that does."""

    section: Train
    trained: frozenset[str]
    rates: Mapping[str, float] = field(default_factory=dict)


def plan_phases(section: Train, layout: Layout) -> list[Plan]:
    """One plan per phase; without phases a single one that trains everything (of a probe the head) at one rate.

    Raises DataError.
    """
    if not section.phases and layout.probe:
        return [_plan(section, Phase(trainable="head", epochs=section.epochs), 0, layout)]
    if not section.phases:
        return [Plan(section, frozenset(layout.shown), dict.fromkeys(layout.shown, section.learning_rate))]
    return [_plan(section, phase, number, layout) for number, phase in enumerate(section.phases)]


def _plan(section: Train, phase: Phase, number: int, layout: Layout) -> Plan:
    names = ("learning_rate", "optimizer", "schedule", "warmup", "patience")
    given = {name: value for name in names if (value := getattr(phase, name)) is not None}
    own = replace(section, phases=(), epochs=phase.epochs, seed=section.seed + number, **given)
    where = f"train.phases.{number}"
    match phase.trainable:
        case "all":
            trained = set(layout.shown)
        case "head":
            trained = set(layout.head)
        case members:
            trained = _members(members, layout, f"{where}.trainable")
    trained -= _members(phase.freeze, layout, f"{where}.freeze")
    chosen = {pattern: _members((pattern,), layout, f"{where}.rates") for pattern in phase.rates}
    rates = {}
    for name in layout.shown:
        loaded = layout.fresh and name not in layout.fresh
        rate = own.learning_rate * (phase.pretrained_rate if loaded else 1)
        rates[name] = next((phase.rates[pattern] for pattern, some in chosen.items() if name in some), rate)
    trained -= {name for name in trained if not rates[name]}  # else the statistics of their batch norms would move
    if not trained:
        headless = ": this model has no head of its own" if phase.trainable == "head" and not layout.head else ""
        raise DataError(f"{where} leaves nothing to train{headless}")
    return Plan(own, frozenset(trained), rates)


def left_random(plans: Sequence[Plan], layout: Layout) -> str:
    """A sentence about parameters that start new and that no phase trains; empty where there are none."""
    fresh = frozenset(layout.shown) if layout.new else layout.fresh
    untrained = [name for name in layout.shown if name in fresh and not any(name in plan.trained for plan in plans)]
    if not untrained:
        return ""
    parts = dict.fromkeys(layout.shown[name].split(".")[0] for name in untrained)
    return (
        f"{len(untrained)} parameters start new and no phase trains them, so they stay random ({', '.join(parts)}): "
        "give train.model weights, or train them in a phase"
    )


def _members(members: Members, layout: Layout, where: str) -> set[str]:
    """Parameters of the named or counted parts. Raises DataError where a name fits nothing."""
    if isinstance(members, Children):
        count = members.first or members.last or 0
        if count > len(layout.children):
            raise DataError(f"{where}: the model has {len(layout.children)} children, not {count}")
        some = layout.children[:count] if members.first else layout.children[-count:]
        return {name for name in layout.shown if any(_fits(name, child) for child in some)}
    tensor_names: set[str] = set()
    for pattern in members:
        fitting = {
            name
            for name, short in layout.shown.items()
            if any(_fits(spelling, plain) for plain in _ranges(pattern) for spelling in (name, short))
        }
        if not fitting:
            raise DataError(f"{where}: no part of the model is called {pattern!r}; {_known(pattern, layout)}")
        tensor_names |= fitting
    return tensor_names


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _ranges(pattern: str) -> list[str]:
    """encoder.layer.0-2 -> encoder.layer.0, encoder.layer.1, encoder.layer.2."""
    parts: list[list[str]] = []
    for part in pattern.split("."):
        first, dash, last = part.partition("-")
        spread = dash and first.isdigit() and last.isdigit()
        parts.append([str(number) for number in range(int(first), int(last) + 1)] if spread else [part])
    ranges = [""]
    for options in parts:
        ranges = [f"{start}.{option}" if start else option for start in ranges for option in options]
    return ranges


def _known(pattern: str, layout: Layout) -> str:
    prefixes = {".".join(name.split(".")[:depth]) for name in layout.shown.values() for depth in (1, 2, 3)}
    near = get_close_matches(sub(r"\d+-\d+", "0", pattern), sorted(prefixes), 3, 0.5)
    top = dict.fromkeys(name.split(".")[0] for name in layout.shown.values())
    return f"did you mean {', '.join(near)}?" if near else f"its parts are {', '.join(top)}"


def hold_still(model: nn.Module, trained: Collection[str]) -> frozenset[str]:
    """Let only `trained` have gradients, and keep the statistics of batch norms that are not trained.

    Returns the names of the buffers held. The Trainer puts the model into training mode at every step, hence the
    override of such a layer's own `train`.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    held: set[str] = set()
    for name, module in model.named_modules():
        if isinstance(module, _NormBase):
            module.__dict__.pop("train", None)
            if not any(f"{name}.{own}" in trained for own, _ in module.named_parameters()):
                module.train = _stay(module)  # type: ignore[method-assign]
                module.eval()
                held |= {f"{name}.{own}" for own, _ in module.named_buffers()}
    return frozenset(held)


def _stay(module: nn.Module) -> Any:
    return lambda mode=True: nn.Module.train(module, False)


def fingerprint(model: nn.Module) -> dict[str, str]:
    """sha256 of every parameter's and buffer's bytes."""
    every: Iterable[tuple[str, torch.Tensor]] = (*model.named_parameters(), *model.named_buffers())
    return {
        name: hashlib.sha256(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data).hexdigest()
        for name, value in every
    }


@dataclass(frozen=True)
class Audit:
    """start, end: first and last optimiser step of a phase, counted over all; chosen: where its weights are from.
    moved, still: parameters and buffers whose bytes changed, and those whose bytes did not."""

    start: int
    end: int
    chosen: int
    moved: tuple[str, ...]
    still: tuple[str, ...]


def changes(
    before: Mapping[str, str], after: Mapping[str, str], held: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What moved and what did not, by fingerprints. Raises DataError naming parts that moved though they were held."""
    moved = tuple(name for name in before if before[name] != after[name])
    if astray := [name for name in moved if name in held]:
        raise DataError(
            f"{len(astray)} parts that this phase holds still have moved, such as {astray[0]}; nothing is saved"
        )
    return moved, tuple(name for name in before if before[name] == after[name])


def float32_output(layer: nn.Module) -> None:
    """Let a layer compute in float32 within reduced precision."""
    if "forward" in layer.__dict__:
        return
    plain = layer.forward

    def forward(features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            logits: torch.Tensor = plain(features.float())
        return logits

    layer.forward = forward
