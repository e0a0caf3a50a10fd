"""Rows of images -> what a starter recipe follows from: labels, parts, sizes, modes, missing labels and repetitions."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from configs.cleaning import Unreadable
from configs.image_starter import ImageFacts
from configs.splitting import GivenSplit, HashSplit

from ..data.cleaning.image_checks import inspect
from ..data.errors import DataError
from ..data.label_variants import describe_variants, label_variants

SAMPLE = 2_000
"""Images that are opened."""
FEW = 50
"""Images of a label, below which a tenth of them, drawn one by one, may well be none."""
GREY = ("L", "1", "I;16")


def look_at_images(rows: pd.DataFrame, images: Path, where: str) -> ImageFacts:
    """Measure rows of images (columns image, label, split), whose bytes lie in `images`. Raises DataError."""
    counts = rows["label"].value_counts().sort_index()
    if counts.index.str.fullmatch("[0-9]+").all():
        counts = counts.sort_index(key=lambda names: names.astype("int64"))
    labels = {str(name): int(count) for name, count in counts.items()}
    if not 2 <= len(labels) <= max(2, len(rows) // 2):
        raise DataError(
            f"{where}: {len(labels):,} labels in {len(rows):,} images; a label has at least two, which repeat"
        )
    digests = rows["image"].dropna().drop_duplicates()
    seen = inspect(images, digests.sample(min(len(digests), SAMPLE), random_state=0), (Unreadable(kind="unreadable"),))
    whole = seen[seen["cause"].isna()]
    if whole.empty:
        causes = ", ".join(f"{count:,} {cause}" for cause, count in seen["cause"].value_counts().items())
        raise DataError(f"{where}: no image of it can be read: {causes}")
    variants = label_variants(labels)
    parts = {str(name): int(count) for name, count in rows["split"].value_counts().items()}
    return ImageFacts(
        rows=len(rows),
        labels=labels,
        missing=float(max(rows["label"].isna().mean(), rows["image"].isna().mean())),
        duplicates=1 - len(digests) / max(1, rows["image"].count()),
        unreadable=float(seen["cause"].notna().mean()),
        sides=(int(whole["side"].min()), int(whole["side"].median()), int(whole["side"].max())),
        grey=bool(whole["mode"].isin(GREY).all()),
        split=_split(rows, parts, min(labels.values())),
        parts=parts if _whole(parts) else {},
        variants=describe_variants(variants),
        label_map={label: first for first, *others in variants for label in others},
    )


def _whole(parts: Collection[str]) -> bool:
    """Whether parts are a split that can be taken as given."""
    return {"train", "test"} <= set(parts)


def _split(rows: pd.DataFrame, parts: Collection[str], rarest: int) -> HashSplit | GivenSplit:
    """The source's own split; else by group where there are groups; else exact where a label has few images."""
    if _whole(parts):
        return GivenSplit(kind="given", validation="given" if "validation" in parts else "none")
    if "group" in rows and rows["group"].notna().any():
        return HashSplit(by="group")
    return HashSplit(exact=rarest < FEW)
