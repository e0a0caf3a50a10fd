"""How an image becomes model input: the one description that training, validation and inference share."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from .images import CHANNELS, Pixels, decode

FILE = "encoding.json"


@dataclass(frozen=True)
class ImageEncoding:
    """labels: in class-id order. height, width: of every image that the model sees, in pixels. mean, std: per channel,
    of pixels of 0 to 1. resize: side of the stored square whose middle the model sees; none where that is all of it."""

    kind: Literal["image"]
    labels: tuple[str, ...]
    mode: str
    height: int
    width: int
    resized: bool
    fit: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: int | None = None

    @property
    def channels(self) -> int:
        """1 or 3."""
        return CHANNELS[self.mode]

    @property
    def stored(self) -> tuple[int, int]:
        """Height and width of stored images."""
        return (self.resize, self.resize) if self.resize else (self.height, self.width)

    def pixels(self, data: bytes) -> Pixels:
        """Decode one image file as it is stored for training. Raises Unreadable, or ValueError for another size."""
        pixels = decode(data, self.mode, self.stored[0] if self.resized else None, self.fit)
        if pixels.shape[1:] != self.stored:
            high, wide = pixels.shape[1:]
            raise ValueError(f"the image is {wide} x {high} pixels, the model takes {self.width} x {self.height}")
        return pixels

    def save(self, folder: Path) -> None:
        """Write encoding.json."""
        (folder / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True), "utf-8")


def load_encoding(path: Path) -> ImageEncoding:
    """Read encoding.json."""
    saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name in ("labels", "mean", "std"):
        saved[name] = tuple(saved[name])
    return ImageEncoding(**saved)
