"""The same nets in Keras 3's layers, on its PyTorch backend, so that one trainer and one file format serve both.

Keras's own ways that remain: its layers, initial weights and random numbers of dropout, images as height x width x
channels. Travels with registered models, so it knows nothing of recipes.
"""

import importlib
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

HEAD = "head"
"""Name of the layer that yields the logits."""


class KerasNet(nn.Module):
    """A Keras model whose variables are this module's parameters, under the names of their layers."""

    model: Any

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.classifier_path = HEAD
        self.__dict__["model"] = model  # not a submodule: it would name every parameter twice, by serial numbers
        for layer in model.layers:
            own = nn.Module()
            for variable in layer.variables:
                name = variable.name.removesuffix("_state")
                own.register_parameter(name, variable.value)
            if layer.variables:
                self.add_module(layer.name, own)

    def forward(self, images: Tensor) -> Tensor:
        """images: [rows, channels, height, width]; logits: [rows, classes]."""
        logits: Tensor = self.model(images.permute(0, 2, 3, 1), training=self.training)
        return logits


def build_cnn(source: Mapping[str, Any], shape: tuple[int, int, int], classes: int) -> KerasNet:
    """Keras's twin of the net that nets.py builds from the same settings; weights drawn from torch's random state.

    Raises ValueError where Keras is not installed.
    """
    keras = _keras()
    layers, (channels, height, width) = keras.layers, shape

    def seed() -> int:
        return int(torch.randint(1, 2**31 - 1, ()))

    def drawn() -> Any:
        return keras.initializers.GlorotUniform(seed=seed())

    stack: list[Any] = [keras.Input((height, width, channels), name="pixels")]
    for number, filters in enumerate(source["channels"], 1):
        stack.append(
            layers.Conv2D(
                filters,
                3,
                padding=source["padding"],
                activation="relu",
                kernel_initializer=drawn(),
                name=f"conv{number}",
            )
        )
        stack.append(layers.MaxPooling2D(2, name=f"pool{number}"))
    stack.append(layers.Flatten(name="flatten"))
    dropout = [layers.Dropout(source["dropout"], seed=seed(), name="dropout")] if source["dropout"] else []
    stack += dropout if not source["dense"] else []
    for number, units in enumerate(source["dense"], 1):
        stack.append(layers.Dense(units, activation="relu", kernel_initializer=drawn(), name=f"dense{number}"))
        stack += dropout if number == 1 else []
    stack.append(layers.Dense(classes, kernel_initializer=drawn(), name=HEAD))
    return KerasNet(keras.Sequential(stack))


def _keras() -> Any:
    """Keras on its PyTorch backend, imported by name so that only recipes that ask for it need it."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        keras = importlib.import_module("keras")
    except ModuleNotFoundError:
        raise ValueError("framework keras needs the package keras: pip install 'temper[keras]'") from None
    if keras.backend.backend() != "torch":
        raise ValueError(f"Keras runs on {keras.backend.backend()} here; set KERAS_BACKEND=torch")
    return keras
