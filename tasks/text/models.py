"""A recipe's model source -> a transformers model that takes a batch with labels and returns .loss and .logits."""

import json
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)

from configs.models import HubModel, LocalModel, ModelSource, NewModel

from ..data.errors import DataError
from ..data.sources import hub
from ..data.sources.pretrained import pretrained_folder
from ..kinds.seq2seq.encoding import Seq2SeqEncoding
from .chat.encoding import DialogueEncoding
from .chat.packing import packs
from .encoding import FILE, Encoding
from .gguf_files import dequantised, describe_types, gguf_options, without_bar
from .loading import read_weights, unreported
from .quantized import loading_options, unquantized
from .supervision import (
    SupervisedMasks,
    SupervisedNumbers,
    SupervisedRows,
    SupervisedTargets,
    SupervisedTokens,
    check_foreteller,
    check_rewriter,
)
from .tokenizer import TextTokenizer

AnyEncoding = Encoding | DialogueEncoding | Seq2SeqEncoding


FORMS: dict[str, tuple[Any, type[nn.Module]]] = {
    "generative": (AutoModelForCausalLM, SupervisedTokens),
    "dialogue": (AutoModelForCausalLM, SupervisedTokens),
    "classifier": (AutoModelForSequenceClassification, SupervisedRows),
    "regression": (AutoModelForSequenceClassification, SupervisedNumbers),
    "seq2seq": (AutoModelForSeq2SeqLM, SupervisedTargets),
    "masked": (AutoModelForMaskedLM, SupervisedMasks),
}
"""Per kind of encoding the class that transformers loads, and the forward that training uses."""
WHOLE_ROWS = ("classifier", "regression")
"""Kinds that foretell something of a row and not its tokens, by a head of their own."""


def build_model(
    source: ModelSource,
    encoding: AnyEncoding,
    tokenizer: TextTokenizer,
    seed: int,
    base: str = "float32",
) -> PreTrainedModel:
    """Build or load the model that training starts from, new weights seeded; `base`: precision of those that are
    loaded. An embedding that is too small for the encoding's new tokens grows. Raises DataError."""
    torch.manual_seed(seed)
    auto, mixin = FORMS[encoding.kind]
    labels = _head(encoding)
    match source:
        case NewModel():
            config = _new_config(source, encoding, tokenizer, labels)
            try:
                model = auto.from_config(config, dtype=torch.float32)
            except ValueError as error:
                raise DataError(f"train.model {source.family}: {str(error).splitlines()[0]}") from None
        case LocalModel() | HubModel():
            model = _load(auto, pretrained_folder(source, hub.MODEL_FILES), labels, base, source.gguf)
    _grow(model, encoding, tokenizer)
    _check_sizes(model, encoding, tokenizer)
    if mixin is SupervisedTokens:
        _check_writer(model)
    if isinstance(encoding, Seq2SeqEncoding):
        check_rewriter(model)
    if isinstance(encoding, DialogueEncoding) and encoding.packing and not packs(model):
        raise DataError(f"train.model: {type(model).__name__} lets packed sequences see one another; encode.packing: "
                        "false")  # fmt: skip
    model.config.pad_token_id = encoding.pad_id
    model.config._name_or_path = ""
    trained = take_forward(model, mixin)
    if mixin is SupervisedMasks:
        check_foreteller(trained)
    return trained


def take_forward(model: PreTrainedModel, mixin: type[nn.Module]) -> PreTrainedModel:
    """Give a model the forward that training uses; its class keeps its name, which is saved with it."""
    model.__class__ = type(type(model).__name__, (mixin, type(model)), {})
    return model


def _head(encoding: AnyEncoding) -> dict[str, Any]:
    """What the configuration says of a head that is new for these rows; empty for heads over the vocabulary."""
    if encoding.kind == "regression":
        return {"num_labels": 1, "problem_type": "regression"}
    if encoding.kind != "classifier":
        return {}
    names = dict(enumerate(encoding.labels))
    return {"num_labels": len(names), "id2label": names, "label2id": {name: i for i, name in names.items()}}


def _new_config(source: NewModel, encoding: AnyEncoding, tokenizer: TextTokenizer, labels: dict[str, Any]) -> Any:
    try:
        plain = AutoConfig.for_model(source.family)
    except ValueError:
        raise DataError(f"train.model.family {source.family!r} is not a model type of transformers") from None
    unknown = [name for name in source.config if not hasattr(plain, name)]
    if unknown:
        raise DataError(f"train.model.config.{unknown[0]} is not a field of {type(plain).__name__}")
    own = {role: tokenizer.special[role] for role in ("eos",) if role in tokenizer.special}
    ids = {"eos_token_id": own.get("eos"), "bos_token_id": own.get("eos"), "pad_token_id": encoding.pad_id}
    if isinstance(encoding, Seq2SeqEncoding):
        ids["decoder_start_token_id"] = encoding.pad_id  # T5's way
    return AutoConfig.for_model(source.family, **{"vocab_size": tokenizer.size, **ids, **labels, **source.config})


def _load(auto: Any, folder: Path, labels: dict[str, Any], base: str, gguf: str | None) -> PreTrainedModel:
    """Load safetensors, or a GGUF file; a classifier's head that is absent or of another size is a new one."""
    if gguf is None and not any(folder.glob("*.safetensors")):
        raise DataError(f"{folder}: no safetensors weights; Temper loads no other format, but for `gguf: FILE`")
    if gguf is not None and base != "float32":
        raise DataError(f"train.lora.base {base} is not for a GGUF file, which is dequantised; take float32")
    told = gguf or _told(folder)
    types = {} if gguf is None else dequantised(folder / gguf)
    options = labels | loading_options(base) | gguf_options(gguf)
    try:
        with unreported(), without_bar():
            model, found = read_weights(
                auto, folder, output_loading_info=True, ignore_mismatched_sizes=bool(labels), **options
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{told}: not a model that {auto.__name__} can load ({str(error).splitlines()[0]})") from None
    lost = [*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])]
    model.fresh = frozenset(lost)
    model.loaded = "\n".join(f"- {fate}: {', '.join(sorted(names))}" for fate, names in (
        ("new weights", lost), ("left over there", found["unexpected_keys"])) if names)  # fmt: skip
    if labels:
        lost = [name for name in lost if name.startswith(f"{model.base_model_prefix}.") and ".pooler." not in name]
    if lost:
        raise DataError(f"{told}: {len(lost)} weights are absent or of another size, such as {min(lost)}")
    if types:
        unquantized(model)  # which else is not saved
        model.config.dequantised_from = types  # travels in config.json
        model.loaded = "\n".join(filter(None, (describe_types(types), model.loaded)))
    return cast(PreTrainedModel, model)


def _told(folder: Path) -> str:
    """What a message calls weights in a folder. Raises DataError for a model of Temper's that reads no text."""
    if not (folder / FILE).exists():
        return folder.name
    kind = json.loads((folder / FILE).read_text(encoding="utf-8"))["kind"]
    if kind not in FORMS:
        raise DataError(
            f"train.model was trained with encode.kind {kind} and reads no text; take one of {', '.join(FORMS)}"
        )
    return f"train.model (trained with encode.kind {kind})"


def _grow(model: PreTrainedModel, encoding: AnyEncoding, tokenizer: TextTokenizer) -> None:
    """Give new tokens rows in the embedding and a writer's head, near the mean of the old ones (Hewitt, 2021)."""
    entries = model.get_input_embeddings().weight.shape[0]
    lacking = set(range(entries, tokenizer.size))
    if lacking and lacking <= set(encoding.new_tokens):
        model.resize_token_embeddings(tokenizer.size)


def _check_sizes(model: PreTrainedModel, encoding: AnyEncoding, tokenizer: TextTokenizer) -> None:
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


@torch.inference_mode()
def _check_writer(model: PreTrainedModel) -> None:
    """Raise DataError where a token sees later ones, or where words are not simply head(hidden state).

    The first would show the answer (BERT as a writer), the second make SupervisedTokens another model (Cohere).
    """
    probe = torch.tensor([[2, 3, 4, 5], [2, 3, 4, 6]], device=model.device)
    hidden = model.eval().base_model(input_ids=probe, use_cache=False)[0]
    if not torch.allclose(hidden[0, :3], hidden[1, :3], rtol=1e-4, atol=1e-5):
        raise DataError(f"train.model: {type(model).__name__} lets a token see later ones, so it cannot write")
    words = model(input_ids=probe, use_cache=False).logits
    head = model.get_output_embeddings()
    if head is None or not torch.allclose(head(hidden), words, rtol=1e-5, atol=1e-6):
        raise DataError(f"train.model: the head of {type(model).__name__} is more than one layer; take another family")
