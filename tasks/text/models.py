"""A recipe's model source -> a transformers model that takes a batch with labels and returns .loss and .logits."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict, cast

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, PreTrainedModel

from configs.models import HubModel, LocalModel, ModelSource, NewModel

from ..data.errors import DataError
from ..data.sources import hub
from ..data.sources.pretrained import pretrained_folder
from .encoding import FILE, Encoding
from .gguf_files import dequantised, describe_types, gguf_options, without_bar
from .loading import read_weights, unreported
from .quantized import loading_options, unquantized
from .tokenizer import TextTokenizer


class ModelInput(Protocol):
    """What building a model asks of an encoding."""

    @property
    def kind(self) -> str:
        """As in encode.kind."""

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""

    @property
    def new_tokens(self) -> tuple[int, ...]:
        """Ids that the tokenizer did not bring along."""


class Head(TypedDict, total=False):
    """Fields of a configuration of transformers that shape a new head."""

    num_labels: int
    id2label: dict[int, str]
    label2id: dict[str, int]
    problem_type: str


def named_head(encoding: Encoding) -> Head:
    """The configuration of a head with the encoding's labels."""
    names = dict(enumerate(encoding.labels))
    return {"num_labels": len(names), "id2label": names, "label2id": {name: number for number, name in names.items()}}


@dataclass(frozen=True)
class Form:
    """How a kind of task uses models of transformers.

    auto: the class that loads them; forward: the forward that training uses. head: fields of the configuration of a
    head that is new for these rows; ids: further fields of a new configuration. check: raises DataError for a model
    that cannot serve, before it has the forward; prove: the same, with it. whole_rows: it predicts something of a row
    by a head of its own, and not tokens. base: precision of the weights that are loaded.
    """

    auto: Any
    forward: type[nn.Module]
    head: Callable[[Any], Head] = lambda encoding: {}
    ids: Callable[[Any], Mapping[str, Any]] = lambda encoding: {}
    check: Callable[[Any, Any], None] = lambda model, encoding: None
    prove: Callable[[Any], None] = lambda model: None
    whole_rows: bool = False
    base: str = "float32"


def build_model(
    source: ModelSource, form: Form, encoding: ModelInput, tokenizer: TextTokenizer, seed: int
) -> PreTrainedModel:
    """Build or load the model that training starts from, new weights seeded. An embedding that is too small for the
    encoding's new tokens grows. Raises DataError."""
    torch.manual_seed(seed)
    labels = form.head(encoding)
    match source:
        case NewModel():
            config = _new_config(source, form.ids(encoding), encoding.pad_id, tokenizer, labels)
            try:
                model = form.auto.from_config(config, dtype=torch.float32)
            except ValueError as error:
                raise DataError(f"train.model {source.family}: {str(error).splitlines()[0]}") from None
        case LocalModel() | HubModel():
            model = _load(form.auto, pretrained_folder(source, hub.MODEL_FILES), labels, form.base, source.gguf)
    _grow(model, encoding, tokenizer)
    _check_sizes(model, encoding, tokenizer)
    form.check(model, encoding)
    model.config.pad_token_id = encoding.pad_id
    model.config._name_or_path = ""
    trained = take_forward(model, form.forward)
    form.prove(trained)
    return trained


def take_forward(model: PreTrainedModel, mixin: type[nn.Module]) -> PreTrainedModel:
    """Give a model the forward that training uses; its class keeps its name, which is saved with it."""
    model.__class__ = type(type(model).__name__, (mixin, type(model)), {})
    return model


def _new_config(
    source: NewModel, further: Mapping[str, Any], pad_id: int, tokenizer: TextTokenizer, labels: Head
) -> Any:
    try:
        plain = AutoConfig.for_model(source.family)
    except ValueError:
        raise DataError(f"train.model.family {source.family!r} is not a model type of transformers") from None
    unknown = [name for name in source.config if not hasattr(plain, name)]
    if unknown:
        raise DataError(f"train.model.config.{unknown[0]} is not a field of {type(plain).__name__}")
    own = {role: tokenizer.special[role] for role in ("eos",) if role in tokenizer.special}
    ids = {"eos_token_id": own.get("eos"), "bos_token_id": own.get("eos"), "pad_token_id": pad_id, **further}
    return AutoConfig.for_model(source.family, **{"vocab_size": tokenizer.size, **ids, **labels, **source.config})


def _load(auto: Any, folder: Path, labels: Head, base: str, gguf: str | None) -> PreTrainedModel:
    """Load safetensors, or a GGUF file; a classifier's head that is absent or of another size is a new one."""
    if gguf is None and not any(folder.glob("*.safetensors")):
        raise DataError(f"{folder}: no safetensors weights; Temper loads no other format, but for `gguf: FILE`")
    if gguf is not None and base != "float32":
        raise DataError(f"train.lora.base {base} is not for a GGUF file, which is dequantised; take float32")
    origin = gguf or _origin(folder)
    types = {} if gguf is None else dequantised(folder / gguf)
    options = {**labels, **loading_options(base), **gguf_options(gguf)}
    try:
        with unreported(), without_bar():
            model, report = read_weights(
                auto, folder, output_loading_info=True, ignore_mismatched_sizes=bool(labels), **options
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{origin}: not a model that {auto.__name__} can load ({str(error).splitlines()[0]})") from None
    lost = [*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])]
    model.fresh = frozenset(lost)
    model.loaded = "\n".join(
        f"- {fate}: {', '.join(sorted(names))}"
        for fate, names in (("new weights", lost), ("left over there", report["unexpected_keys"]))
        if names
    )
    if labels:
        lost = [name for name in lost if name.startswith(f"{model.base_model_prefix}.") and ".pooler." not in name]
    if lost:
        raise DataError(f"{origin}: {len(lost)} weights are absent or of another size, such as {min(lost)}")
    if types:
        unquantized(model)  # which else is not saved
        model.config.dequantised_from = types  # travels in config.json
        model.loaded = "\n".join(filter(None, (describe_types(types), model.loaded)))
    return cast(PreTrainedModel, model)


def _origin(folder: Path) -> str:
    """What a message calls weights in a folder. Raises DataError for a model of Temper's that reads no text."""
    if not (folder / FILE).exists():
        return folder.name
    saved = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if "special" not in saved:
        raise DataError(
            f"train.model was trained with encode.kind {saved['kind']} and reads no text; take one that "
            "was trained on texts or dialogues"
        )
    return f"train.model (trained with encode.kind {saved['kind']})"


def _grow(model: PreTrainedModel, encoding: ModelInput, tokenizer: TextTokenizer) -> None:
    """Give new tokens rows in the embedding and a writer's head, near the mean of the old ones (Hewitt, 2021)."""
    entries = model.get_input_embeddings().weight.shape[0]
    lacking = set(range(entries, tokenizer.size))
    if lacking and lacking <= set(encoding.new_tokens):
        model.resize_token_embeddings(tokenizer.size)


def _check_sizes(model: PreTrainedModel, encoding: ModelInput, tokenizer: TextTokenizer) -> None:
    entries = model.get_input_embeddings().weight.shape[0]
    if tokenizer.size > entries:
        raise DataError(f"the tokenizer has {tokenizer.size} tokens, the model's embedding only {entries}")
    positions = getattr(model.config, "max_position_embeddings", None)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions = module.num_embeddings - module.padding_idx - 1  # RoBERTa counts from behind its pad id
    for name in ("max_length", "max_target"):
        if positions is not None and (longest := getattr(encoding, name, 0)) > positions:
            raise DataError(f"encode.{name} {longest} is above the model's {positions} positions")
