"""What train.precision: auto stands for on this machine, found without loading torch where no GPU is in sight."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from .optimizers import Lbfgs, Rprop
from .training import Train

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux lists what the processor can do."""
GPUS = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))
"""One of these is there where CUDA or ROCm may find a GPU."""
FLAGS = ("amx_bf16", "avx512_bf16")
"""Either means instructions that multiply in bfloat16."""
LIMIT = "ONEDNN_MAX_CPU_ISA"
"""oneDNN's variable that forbids torch newer instructions."""
WITH_BFLOAT16 = ("BF16", "FP16", "AMX", "AVX10", "ALL", "DEFAULT")
"""Parts of the limits that leave those for bfloat16."""


def settled(section: Any) -> Any:
    """A section with `precision: auto` as it is computed here; all others as they are.

    L-BFGS and Rprop compute in float32.
    """
    if not isinstance(section, Train) or section.precision != "auto":
        return section
    return replace(section, precision=fast_precision()[0] if _reducible(section) else "float32")


def _reducible(section: Train) -> bool:
    every = (section.optimizer, *(phase.optimizer for phase in section.phases))
    return not any(isinstance(optimizer, Lbfgs | Rprop) for optimizer in every)


def fast_precision() -> tuple[Literal["float32", "bfloat16"], str]:
    """bfloat16 where the device that trains has instructions for it, else float32; and the reason, in words.

    On CUDA and ROCm the GPU counts; on a Mac it is float32; else the flags of an x86 processor count.
    """
    if any(place.exists() for place in GPUS):
        import torch

        if torch.cuda.is_available():
            able = torch.cuda.is_bf16_supported(including_emulation=False)
            return ("bfloat16" if able else "float32"), f"the GPU {'has' if able else 'lacks'} bfloat16"
    if sys.platform == "darwin":
        return "float32", "on a Mac"
    limit = os.environ.get(LIMIT, "").upper()
    if limit and not any(part in limit for part in WITH_BFLOAT16):
        return "float32", f"{LIMIT} is {limit}"
    flags = [flag for flag in FLAGS if flag in _cpu_flags()]
    if flags:
        return "bfloat16", f"the processor has {', '.join(flags)}"
    return "float32", f"the processor has neither {' nor '.join(FLAGS)}"


def _cpu_flags() -> frozenset[str]:
    """Those of the first processor; none where no such list is (another system, or processors that are not x86)."""
    if not CPUINFO.exists():
        return frozenset()
    lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))


def precision_note(section: Any) -> str:
    """What `precision: auto` of a section comes to here, and why; empty where a recipe says it."""
    if not isinstance(section, Train) or section.precision != "auto":
        return ""
    if not _reducible(section):
        return "train.precision auto is float32 (for this optimiser)"
    chosen, reason = fast_precision()
    return f"train.precision auto is {chosen} ({reason})"
