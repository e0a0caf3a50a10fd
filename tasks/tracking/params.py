"""Parameters of a training in MLflow: a recipe's sections come in, flat names and values go out."""

from collections.abc import Iterator, Mapping
from typing import Any

from configs.literal import complete

from ..artifact import Artifact, lineage


def recipe_params(sections: Mapping[str, Any], upstream: list[Artifact]) -> dict[str, Any]:
    """Flat `section.key` parameters of these sections and of every stage that the upstream artifacts came from."""
    every = {stage: artifact.manifest()["section"] for up in upstream for stage, artifact in lineage(up).items()}
    every |= {stage: complete(section) for stage, section in sections.items()}
    return {f"{stage}{name}": value for stage, values in every.items() for name, value in flat(values)}


def flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as dotted names (with a leading dot) and plain values."""
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from flat(part, f"{at}.{name}")
    else:
        yield at, value
