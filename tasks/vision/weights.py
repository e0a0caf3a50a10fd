"""A weights file -> tensors in a net, with an account of every one."""

import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..data.errors import DataError
from ..data.files import check_file
from ..data.sources.fetched import fetch_once

NESTED = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep the weights next to other things."""
WRAPPERS = re.compile(r"(^|\.)(?:module|_orig_mod)\.")
"""What DataParallel and torch.compile put before names, at the front or further in."""
OLDER = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
"""DenseNet's published files name layers as torchvision once did."""
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""Classifiers that GoogLeNet and Inception have for training alone, and which are left out here."""
ENDINGS = (".safetensors", ".pt", ".pth", ".th", ".bin")
COUNTER = "num_batches_tracked"
"""A batch norm's counter, which old files lack and which nothing here reads."""
DAMAGES = (
    SafetensorError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    MemoryError,
)
"""What the readers raise at bytes that were cut or changed."""


@dataclass(frozen=True)
class Loaded:
    """Names below the net. reshaped: in the file with another shape. missing: not in it. left: in the file, but not in
    the net."""

    loaded: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def fresh(self) -> frozenset[str]:
        """What starts new."""
        return frozenset((*self.reshaped, *self.missing))

    def describe(self, where: str) -> str:
        """One markdown line per fate, every tensor by name except those that were loaded."""
        lines = [f"- {len(self.loaded)} tensors loaded from {where}"]
        for fate, names in (
            ("new", self.missing),
            ("new, since of another shape there", self.reshaped),
            ("left over there", self.left),
        ):
            lines += [f"- {fate}: {', '.join(names)}"] if names else []
        return "\n".join(lines)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, without the wrappers of multi-GPU training (`module.`).

    A PyTorch file is read without running any code in it, and against its own checksums where it has some (as written
    since torch 1.6; safetensors has none). Raises DataError.
    """
    check_file(path)
    if path.suffix not in ENDINGS:
        raise DataError(f"{path}: not a weights file by its name, which should end in one of {', '.join(ENDINGS)}")
    try:
        read = load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except UnpicklingError:
        raise DataError(
            f"{path}: holds more than tensors, or is damaged; none of it was run. Where it was made, save the net's "
            "state_dict(), best as safetensors"
        ) from None
    except DAMAGES as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: not a whole weights file ({reason}); fetch or save it again") from None
    for key in NESTED:
        if isinstance(read, Mapping) and isinstance(read.get(key), Mapping):
            read = read[key]
    tensors = read if isinstance(read, Mapping) else {}
    tensors = {str(name): value for name, value in tensors.items() if isinstance(value, Tensor)}
    if not tensors:
        raise DataError(f"{path}: holds no tensors by name")
    return {OLDER.sub(r"\1\2", WRAPPERS.sub(r"\1", name)): value for name, value in tensors.items()}


def _unpickle(path: Path) -> Any:
    """Tensors and plain containers, nothing else. torch does not inspect the checksums in its own files; this does."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if (member := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"wrong checksum of {member}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of an unusual version of pickle, which the error reports
        return torch.load(path, map_location="cpu", weights_only=True)


def load_weights(net: nn.Module, tensors: Mapping[str, Tensor], head: str, partial: bool, where: str) -> Loaded:
    """Copy what fits into the net, except for its classification layer `head`, which stays new.

    Raises DataError where nothing fits, where a tensor that fits is not finite and, unless `partial`, where another
    one is missing, of another shape, or left over. The last layer in the file may be of any shape and form.
    """
    own = net.state_dict()
    body = [name for name in own if not name.startswith(f"{head}.")]
    fitting = [name for name in body if name in tensors and tensors[name].shape == own[name].shape]
    reshaped = tuple(name for name in body if name in tensors and name not in fitting)
    missing = tuple(name for name in body if name not in tensors and not name.endswith(COUNTER))
    left = tuple(
        name
        for name in tensors
        if name not in own and not name.endswith(COUNTER) and not name.startswith((*AUXILIARY, f"{head}."))
    )
    if not [name for name in fitting if not name.endswith(COUNTER)]:
        raise DataError(f"{where}: none of its {len(tensors)} tensors fits this model, such as {next(iter(tensors))}")
    if (reshaped or missing or left) and not partial:
        problems = [f"{len(missing)} of the model's tensors are not in it, such as {missing[0]}"] if missing else []
        if reshaped:
            name = reshaped[0]
            problems.append(f"{name} is {list(tensors[name].shape)} there, {list(own[name].shape)} here")
        problems += [f"{len(left)} of its tensors are not in the model, such as {left[0]}"] if left else []
        raise DataError(f"{where}: {'; '.join(problems)}; take the model it is of, or set train.model.partial: true")
    if broken := [name for name in fitting if not bool(tensors[name].isfinite().all())]:
        raise DataError(
            f"{where}: {broken[0]} holds values that are not finite; take weights of a training that went well"
        )
    net.load_state_dict({name: tensors[name] for name in fitting}, strict=False)
    new = tuple(name for name in own if name.startswith(f"{head}.") and not name.endswith(COUNTER))
    return Loaded(tuple(fitting), reshaped, (*missing, *new), left)


def published_weights(name: str, weights: str) -> Path:
    """The file with a torchvision model's published weights, fetched once into the store, its checksum right.

    Raises DataError.
    """
    import torchvision

    url = torchvision.models.get_model_weights(name)[weights].url
    try:
        return fetch_once(url, "train")
    except DataError as error:
        raise DataError(
            f"the weights {weights} of {name} cannot be had ({error}); set train.model.weights: none, or "
            "train.model.file to a copy"
        ) from None
