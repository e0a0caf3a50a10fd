"""A text model comes in; the same object goes out with LoRA layers in it, all else frozen but what starts new."""

import warnings
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from configs.lora import Lora

from ..data.errors import DataError

SAME = 1e-3
"""How far new adapters, whose B is 0, may change a score, as a share of the largest one. DoRA divides and multiplies by
a length, which rounds in every layer."""


def peft() -> ModuleType:
    """The package peft. Raises DataError naming the extra where it is not installed.

    Imported by name, so that its version is in the keys of trainings with adapters alone.
    """
    try:
        return import_module("peft")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "peft":
            raise
        raise DataError("train.lora needs the package peft: pip install 'temper[lora]'") from None


def new_modules(model: PreTrainedModel) -> tuple[str, ...]:
    """Modules that are trained in full: what lies next to the base model (a classifier's head), and what starts new."""
    outer = [
        name for name, part in model.named_children() if name != model.base_model_prefix and list(part.parameters())
    ]
    inner = {name.rpartition(".")[0] for name in getattr(model, "fresh", ())}
    return (*outer, *sorted(name for name in inner if name.partition(".")[0] not in outer))


def add_lora(
    model: PreTrainedModel, lora: Lora, batch: dict[str, Tensor], *, heads: Collection[str], tokens: Sequence[int] = ()
) -> None:
    """Put LoRA layers into `model`, in place; their first weights come from torch's random state.

    `heads`: modules that are trained in full. `tokens`: ids whose embeddings, and rows of a writer's head, are trained.
    Afterwards `model.adapters` names the parameters that are not frozen for good. Raises DataError for unknown targets,
    and where the scores of `batch` change although nothing has been learnt yet.
    """
    before = scores(model, batch)
    loaded = _loaded(model, heads)
    _inject(model, lora, target_modules(model, lora, heads), _rows(model, tokens))
    for name in heads:
        model.get_submodule(name).requires_grad_(True)
    model.adapters = frozenset(name for name, value in model.named_parameters() if value.requires_grad)
    model.heads = tuple(heads)
    model.fresh = model.adapters - loaded
    model.adapted = describe_lora(model, lora)
    if getattr(model, "is_quantized", False):
        model._hf_peft_config_loaded = True  # else the Trainer, which looks for peft's own wrapper, refuses it
    error = difference(scores(model, batch), before)
    if not error <= SAME:
        raise DataError(
            f"train.lora: new adapters change the scores of {type(model).__name__} by {error:.1e} of the largest one; "
            "they do not fit this model, so train it without lora"
        )


def _loaded(model: PreTrainedModel, heads: Collection[str]) -> set[str]:
    """Parameters of heads that were loaded with the model."""
    fresh: frozenset[str] = getattr(model, "fresh", frozenset())
    if not fresh:
        return set()
    return {
        name for name, _ in model.named_parameters() if name not in fresh and any(_under(name, head) for head in heads)
    }


def _inject(model: PreTrainedModel, lora: Lora, targets: list[str], rows: dict[str, list[int]]) -> None:
    config = peft().LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        fan_in_fan_out=any(isinstance(model.get_submodule(name), Conv1D) for name in targets),
        trainable_token_indices=rows or None,
    )
    with warnings.catch_warnings():  # peft fixes the flag for each layer by itself, and warns
        warnings.filterwarnings("ignore", "fan_in_fan_out is set to")
        peft().inject_adapter_in_model(config, model)


def target_modules(model: PreTrainedModel, lora: Lora, heads: Collection[str]) -> list[str]:
    """Full names of the layers that get adapters. Raises DataError naming the nearest where a target fits none."""
    output = model.get_output_embeddings()
    linear = [
        name
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear | Conv1D) and part is not output and not any(_under(name, head) for head in heads)
    ]
    if lora.targets == "all-linear":
        return linear
    modules: set[str] = set()
    for pattern in lora.targets:
        fitting = {name for name in linear if fnmatchcase(f".{name}.", f"*.{pattern}.*")}
        if not fitting:
            raise DataError(
                f"train.lora.targets: no linear layer of the model is called {pattern!r}; {_known(pattern, linear)}"
            )
        modules |= fitting
    return [name for name in linear if name in modules]


def _known(pattern: str, linear: list[str]) -> str:
    parts = [name.split(".") for name in linear]
    every = {".".join(part[start:]) for part in parts for start in range(len(part))}
    near = get_close_matches(pattern, sorted(every), 3, 0.5)
    last = dict.fromkeys(part[-1] for part in parts)
    return f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(last)}"


def _under(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _rows(model: PreTrainedModel, tokens: Sequence[int]) -> dict[str, list[int]]:
    """Names of the embedding and, where it has weights of its own, of the writer's head, with the rows to train."""
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    if not tokens:
        return {}
    if layers[1] is None or layers[1].weight is layers[0].weight:
        del layers[1]
    names = {part: name for name, part in model.named_modules()}
    return {names[layer]: sorted(tokens) for layer in layers}


def describe_lora(model: PreTrainedModel, lora: Lora) -> str:
    """One line for people: ranks, layers, shares."""
    layers = sum(hasattr(part, "lora_A") for part in model.modules())
    counts = {name: value.numel() for name, value in model.named_parameters()}
    trained, total = sum(counts[name] for name in model.adapters), model.num_parameters()  # 4 bits: two in a byte
    kind = "".join(f", {name}" for name in ("rslora", "dora") if getattr(lora, name))
    return (
        f"LoRA of rank {lora.rank} (alpha {lora.alpha:g}, dropout {lora.dropout:g}{kind}) on {layers} layers, base in "
        f"{lora.base}: {trained:,} of {total:,} parameters are trained ({trained / total:.2%})."
    )


def probe_batch(model: PreTrainedModel, length: int, *, writer: bool, tokens: Sequence[int] = ()) -> dict[str, Tensor]:
    """Four rows of random tokens, `tokens` among them, that show whether two forms of a model are the same."""
    size = model.config.get_text_config().vocab_size
    ids = torch.randint(size, (4, length), generator=torch.Generator().manual_seed(0))
    ids.view(-1)[: len(tokens[: ids.numel()])] = torch.tensor(tokens[: ids.numel()], dtype=torch.long)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids if writer else ids[:, 0] * 0}
    return {name: value.to(model.device) for name, value in batch.items()}


@torch.inference_mode()
def scores(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    """Logits of a batch, dropout off."""
    logits: Tensor = model.eval()(**batch, num_items_in_batch=1).logits.float().cpu().clone()
    return logits


def difference(logits: Tensor, wanted: Tensor) -> float:
    """Largest difference as a share of the largest score; NaN where there is one."""
    return float((logits - wanted).abs().max() / wanted.abs().max())
