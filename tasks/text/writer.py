"""A model made ready to write: checked, its own generation settings out of play; prompts in, written ids out."""

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sampling:
    """Draws tokens instead of taking the likeliest: from softmax(logits / temperature), of these the likeliest tokens
    that have together `top_p` of the probability (nucleus sampling, Holtzman et al. 2020).

    A prompt's draws depend on the seed and its number alone. Raises ValueError for values out of range.
    """

    temperature: float
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature {self.temperature} must be above 0; for the likeliest tokens, do not sample")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p {self.top_p} must be above 0 and at most 1")

    def processors(self, rows: Ids, device: torch.device) -> LogitsProcessorList:
        """What turns logits of these prompts into scores whose greatest is a draw."""
        noise = _Gumbel([np.random.SeedSequence((self.seed, int(row))) for row in rows], device)
        return LogitsProcessorList([TemperatureLogitsWarper(self.temperature), TopPLogitsWarper(self.top_p), noise])


class _Gumbel:
    """Adds Gumbel noise, each row its own: the greatest sum is a draw from the softmax (Maddison et al. 2014)."""

    def __init__(self, seeds: Sequence[np.random.SeedSequence], device: torch.device) -> None:
        self.draws = [np.random.default_rng(seed) for seed in seeds]
        self.device = device

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        noise = np.stack([draw.gumbel(size=scores.shape[1]) for draw in self.draws])
        return scores + torch.from_numpy(noise).to(self.device, scores.dtype)


@dataclass(frozen=True)
class Ends:
    """The ids that end a text; first: the one of them that does not end it where it is the first to be written."""

    ids: frozenset[int]
    first: int | None = None

    def stop(self, token: int, place: int) -> bool:
        """Whether a text ends with the token that is written at a place, counted from 0."""
        return token in self.ids and (place > 0 or token != self.first)


class _Stopping(StoppingCriteria):  # type: ignore[misc]
    """transformers' rule of end tokens, but for the one that may be written first; `eos_token_id` makes it fill up."""

    def __init__(self, ends: Ends, begin: int, device: torch.device) -> None:
        self.eos_token_id = torch.tensor(sorted(ends.ids), device=device)
        self.first, self.begin = ends.first, begin

    def __call__(self, input_ids: Tensor, scores: Tensor, **options: Any) -> Tensor:
        """Which rows are done: bool [rows]."""
        last = input_ids[:, -1]
        done = torch.isin(last, self.eos_token_id)
        return done & (last != self.first) if input_ids.shape[1] == self.begin + 1 else done


@dataclass(frozen=True)
class Decoding:
    """How text is written. ends: what ends it; max_new_tokens: at most; sampling: None takes the likeliest token."""

    ends: Ends
    max_new_tokens: int
    pad_id: int
    sampling: Sampling | None = None


class Writer:
    """A shallow copy of a model, so that the given one keeps its settings (weights are shared).

    Raises ValueError for a model that cannot write, for no end tokens, and for prompts without room for an answer.
    """

    def __init__(self, model: Any, decoding: Decoding) -> None:
        model = model.get_base_model() if hasattr(model, "get_base_model") else model  # peft's layers are inside it
        _check(model)
        if not decoding.ends.ids:
            raise ValueError("end_ids is empty; without an end token no answer could ever end")
        self.ends, self.pad_id, self.sampling = decoding.ends, decoding.pad_id, decoding.sampling
        self.most = decoding.max_new_tokens
        self.paired = bool(model.config.is_encoder_decoder)
        self.start = _decoder_start(model) if self.paired else None
        self.model = copy.copy(model)
        self.model.generation_config = GenerationConfig()

    def room(self, prompts: Sequence[Sequence[int]]) -> Ids:
        """Tokens that may be written after each prompt."""
        most = self.most
        if most < 1:
            raise ValueError(f"max_new_tokens {most} must be at least 1")
        lengths = np.array([len(prompt) for prompt in prompts], np.int64)
        if not lengths.all():
            raise ValueError(f"prompt {int(lengths.argmin())} is empty; a prompt needs at least one token")
        positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if positions is None:
            return np.full(len(prompts), most)
        free = positions - lengths if not self.paired else np.where(lengths > positions, 0, positions - 1)
        if (free < 1).any():
            row = int(free.argmin())
            raise ValueError(
                f"prompt {row} has {lengths[row]} tokens, and the model has {positions} positions, so "
                "there is no room for an answer; shorten the prompt"
            )
        return np.minimum(free, most)

    def write(self, prompts: Sequence[Sequence[int]], rows: Ids, most: int, streamer: Any = None) -> list[list[int]]:
        """Ids written after each prompt, all of one length, with whatever fills them up behind an end token."""
        batch = {name: torch.from_numpy(array).to(self.model.device) for name, array in self._pad(prompts).items()}
        config = GenerationConfig(
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            use_cache=True,
            eos_token_id=sorted(self.ends.ids) if self.ends.first is None else None,
            pad_token_id=self.pad_id,
            decoder_start_token_id=self.start,
        )
        drawing = self.sampling and self.sampling.processors(rows, self.model.device)
        begin = 1 if self.paired else batch["input_ids"].shape[1]
        stopping = [] if self.ends.first is None else [_Stopping(self.ends, begin, self.model.device)]
        generated = self.model.generate(
            **batch,
            generation_config=config,
            logits_processor=drawing,
            stopping_criteria=StoppingCriteriaList(stopping),
            streamer=streamer,
        )
        return generated[:, begin:].tolist()  # type: ignore[no-any-return]

    def _pad(self, prompts: Sequence[Sequence[int]]) -> dict[str, Ids]:
        """input_ids and attention_mask [prompts, longest]; pads stand on the left of what is gone on with.

        They stand on the right for an encoder, which may count its positions from the left whatever the mask.
        """
        width = max(map(len, prompts))
        ids = np.full((len(prompts), width), self.pad_id, np.int64)
        mask = np.zeros((len(prompts), width), np.int64)
        for row, prompt in enumerate(prompts):
            place = slice(0, len(prompt)) if self.paired else slice(width - len(prompt), width)
            ids[row, place], mask[row, place] = prompt, 1
        return {"input_ids": ids, "attention_mask": mask}

    def cut(self, tokens: list[int]) -> tuple[list[int], bool]:
        """What stands before the first end token, and whether there is one."""
        end = next((place for place, token in enumerate(tokens) if self.ends.stop(token, place)), None)
        return tokens[:end], end is not None


def _check(model: Any) -> None:
    name = type(model).__name__
    labels = inspect.signature(model.forward).parameters.get("labels")
    if labels is not None and labels.default is inspect.Parameter.empty:
        raise ValueError(
            f"this {name} has the forward of training, which needs labels; load the saved folder with "
            "AutoModelForCausalLM.from_pretrained"
        )
    if not model.can_generate():
        raise ValueError(f"{name} cannot write; load the model with AutoModelForCausalLM or AutoModelForSeq2SeqLM")
    if model.training:
        raise ValueError(f"this {name} is in training mode, with dropout; call model.eval() first")
    for path, module in model.named_modules():
        if path.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            raise ValueError(f"{name} counts positions from its pad id, which generation cannot; take another family")


def _decoder_start(model: Any) -> int:
    for config in (model.generation_config, model.config):
        for key in ("decoder_start_token_id", "bos_token_id"):
            if (token := getattr(config, key, None)) is not None:
                return int(token)
    raise ValueError(f"{type(model).__name__} has no decoder_start_token_id; set it in config.json")
