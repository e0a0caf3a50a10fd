"""Words of a starter recipe: values as YAML has them on one line, counts and bounds as its remarks say them."""

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

NO_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")


def counted(counts: Mapping[str, int]) -> str:
    """Names with their counts, the commonest first, up to six."""
    common = sorted(counts.items(), key=lambda item: -item[1])
    rest = f", … and {len(common) - 6} more" if len(common) > 6 else ""
    return ", ".join(f"{plain(name)}: {count:,}" for name, count in common[:6]) + rest


def plain(text: str) -> str:
    """A text as a remark can hold it: no line ends, nothing that YAML refuses."""
    return "".join(character if character.isprintable() else " " for character in text)


def flow(value: Any) -> str:
    """A value on one line of YAML; texts are quoted unless they are plainly words."""
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(item)}' for key, item in value.items())}}}"
    if re.fullmatch(r"[^\W\d_][\w./-]*|/[\w./-]+", value) and value.lower() not in NO_WORDS:
        return str(value)
    return str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=math.inf)).strip()


def rounded(value: float, toward: Any) -> int:
    """To two digits."""
    unit: int = 10 ** max(0, len(str(int(value))) - 2)
    return max(1, int(toward(value / unit)) * unit)


def above(share: float) -> float:
    """A bound with room above what was found."""
    return min(1.0, math.ceil((1.5 * share + 0.005) * 100) / 100)
