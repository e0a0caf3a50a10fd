"""A saved image model folder -> predictions on image files; the same code here, in evaluate and in the registry."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...data.predictions import Predictions, from_logits
from ...runtime.net import Arrays, Net, open_net
from ...vision.encoding import FILE, ImageEncoding, load_encoding
from ...vision.images import Pixels, Unreadable

PIXELS = "pixel_values"


@dataclass(frozen=True)
class Predictor:
    """Image files in, class probabilities out."""

    encoding: ImageEncoding
    net: Net
    content = "image"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read encoding.json, config.json and model.safetensors."""
        encoding = load_encoding(folder / FILE)
        return cls(encoding, open_net(folder, lambda: _load_scorer(folder, encoding), device))

    def inputs(self, images: Sequence[Any]) -> Arrays:
        """What the net takes of images in one batch."""
        return {PIXELS: np.stack([self._pixels(image, row) for row, image in enumerate(images)])}

    def scores(
        self,
        images: Sequence[Any],
        batch_size: int = 32,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> npt.NDArray[np.float64]:
        """Logits [images, classes]. Raises ValueError naming the row."""
        logits = np.empty((len(images), len(self.encoding.labels)))
        for start in range(0, len(images), batch_size):
            batch = [self._pixels(image, start + at) for at, image in enumerate(images[start : start + batch_size])]
            logits[start : start + len(batch)] = self.score(np.stack(batch))
            progress(start + len(batch), len(images))
        return logits

    def predict(
        self,
        images: Sequence[Any],
        batch_size: int = 32,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> Predictions:
        """Score images: bytes of a file, the same in base64, or a path. Raises ValueError naming the row."""
        return from_logits(self.scores(images, batch_size, progress))

    def _pixels(self, image: Any, row: int) -> Pixels:
        try:
            return self.encoding.pixels(_file_bytes(image))
        except Unreadable as error:
            raise ValueError(f"row {row}: not a readable image ({error})") from None
        except ValueError as error:
            raise ValueError(f"row {row}: {error}") from None

    def score(self, pixels: Pixels) -> npt.NDArray[np.float64]:
        """Logits [rows, classes] of decoded images [rows, channels, height, width]."""
        return self.net({PIXELS: pixels})[0].astype(np.float64)

    def frame(self, images: Sequence[Any], batch_size: int = 32) -> pd.DataFrame:
        """Columns label, probability (of that label), and `probability of X` for each label X."""
        return self.predict(images, batch_size).frame(self.encoding.labels)


def _load_scorer(folder: Path, encoding: ImageEncoding) -> Any:
    """The module of a folder with weights; torch is loaded here alone."""
    from ...vision.nets import Logits, load_model

    return Logits(load_model(folder, encoding))


def _file_bytes(image: Any) -> bytes:
    if isinstance(image, bytes | bytearray):
        return bytes(image)
    if isinstance(image, Path) or (isinstance(image, str) and len(image) < 4096 and Path(image).is_file()):
        return Path(image).read_bytes()
    if isinstance(image, str):
        try:
            return base64.b64decode(image, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"{image[:60]!r} is neither a file nor base64") from None
    raise ValueError(f"an image is given as bytes, base64 or a path, got {type(image).__name__}")
