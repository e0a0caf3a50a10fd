"""Generation: the same in any batch, as one forward pass after another has it; streamed, sampled, stopped, refused."""

import logging
import random
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from tasks.text import generation
from tasks.text.generation import Generated, generate, stream
from tasks.text.models import take_forward
from tasks.text.supervision import SupervisedTokens
from tasks.text.writer import Decoding, Ends, Sampling, Writer

VOCABULARY, POSITIONS, PAD = 50, 48, 0
ENDS = frozenset({1, 2, 3, 4, 5, 6})
"""Several, so that weights drawn at random reach one now and then."""
MOST = 20
NARROW = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.5,
}
CAUSAL = ["gpt2", "llama", "qwen2"]
FAMILIES = [*CAUSAL, "t5", "bart"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What transformers logs, which does not reach the root logger by itself."""
    library = logging.getLogger("transformers")
    library.addHandler(caplog.handler)
    yield caplog
    library.removeHandler(caplog.handler)


def build(family: str) -> Any:
    """Random weights, wide enough that what a row is told changes what it says."""
    torch.manual_seed(3)
    match family:
        case "gpt2":
            model = GPT2LMHeadModel(
                GPT2Config(
                    vocab_size=VOCABULARY,
                    n_positions=POSITIONS,
                    n_embd=32,
                    n_layer=2,
                    n_head=4,
                    initializer_range=0.4,
                    bos_token_id=1,
                    eos_token_id=1,
                )
            )
        case "llama":
            model = LlamaForCausalLM(LlamaConfig(**NARROW))
        case "qwen2":
            model = Qwen2ForCausalLM(Qwen2Config(**NARROW))
        case "t5":
            model = T5ForConditionalGeneration(
                T5Config(
                    vocab_size=VOCABULARY,
                    d_model=32,
                    d_kv=8,
                    d_ff=48,
                    num_layers=2,
                    num_heads=4,
                    decoder_start_token_id=0,
                    initializer_factor=8.0,
                    tie_word_embeddings=False,
                )
            )
        case _:
            model = BartForConditionalGeneration(
                BartConfig(
                    vocab_size=VOCABULARY,
                    d_model=32,
                    encoder_layers=1,
                    decoder_layers=1,
                    encoder_ffn_dim=48,
                    decoder_ffn_dim=48,
                    encoder_attention_heads=4,
                    decoder_attention_heads=4,
                    init_std=0.5,
                    max_position_embeddings=POSITIONS,
                    decoder_start_token_id=1,
                    pad_token_id=0,
                    bos_token_id=1,
                    eos_token_id=2,
                )
            )
    return model.eval()


def prompts(count: int = 8, longest: int = 24) -> list[list[int]]:
    """Of all lengths, and with the pad id in them as a real token."""
    draw = random.Random(1)
    return [[draw.randrange(VOCABULARY) for _ in range(draw.randint(1, longest))] for _ in range(count)]


def decoding(
    end_ids: Collection[int] = ENDS,
    max_new_tokens: int = MOST,
    *,
    first: int | None = None,
    pad_id: int = PAD,
    sampling: Sampling | None = None,
) -> Decoding:
    return Decoding(Ends(frozenset(end_ids), first), max_new_tokens, pad_id, sampling)


def write(model: Any, given: list[list[int]], batch_size: int = 8, **options: Any) -> Generated:
    progress = {"progress": options.pop("progress")} if "progress" in options else {}
    return generate(model, given, decoding(**options), batch_size=batch_size, **progress)


@torch.inference_mode()
def plain(model: Any, prompt: list[int], most: int = MOST) -> tuple[list[int], bool]:
    """The likeliest token, one full forward pass after another: no batch, no pads, no cache."""
    paired, written = model.config.is_encoder_decoder, []
    while len(written) < most:
        if paired:
            decoder = torch.tensor([[model.config.decoder_start_token_id, *written]])
            logits = model(input_ids=torch.tensor([prompt]), decoder_input_ids=decoder, use_cache=False).logits
        else:
            logits = model(input_ids=torch.tensor([[*prompt, *written]]), use_cache=False).logits
        token = int(logits[0, -1].argmax())
        if token in ENDS:
            return written, True
        written.append(token)
    return written, False


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_eight_is_one_by_one_and_the_plain_loop(family: str, said: pytest.LogCaptureFixture) -> None:
    model, given = build(family), prompts()
    together, wanted = write(model, given), [plain(model, prompt) for prompt in given]
    assert [(ids, bool(end)) for ids, end in zip(together.ids, together.ended, strict=True)] == wanted
    for size in (1, 3):
        alone = write(model, given, batch_size=size)
        assert alone.ids == together.ids and alone.ended.tolist() == together.ended.tolist()
    assert len({tuple(ids) for ids in together.ids}) > 3, "the answers tell the prompts apart"
    assert said.records == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stream_is_what_generate_writes(family: str) -> None:
    model, given = build(family), prompts()
    assert [list(stream(model, prompt, decoding())) for prompt in given] == write(model, given).ids
    sampling = Sampling(1.5, 0.9, 4)
    assert list(stream(model, given[0], decoding(sampling=sampling))) == write(model, given, sampling=sampling).ids[0]


@pytest.mark.parametrize("family", CAUSAL)
def test_pads_on_the_wrong_side_are_seen(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above can fail: pads on the right, or attended to, change what is written."""
    model, given = build(family), prompts()
    monkeypatch.setattr(generation, "keeps_all", lambda model: False)
    wanted, right_way = write(model, given).ids, Writer._pad

    def to_the_right(writer: Writer, rows: Any) -> Any:
        return {
            name: np.stack([np.roll(row, len(p) - len(row)) for row, p in zip(array, rows, strict=True)])
            for name, array in right_way(writer, rows).items()
        }

    monkeypatch.setattr(Writer, "_pad", to_the_right)
    assert write(model, given).ids != wanted
    monkeypatch.setattr(
        Writer, "_pad", lambda w, rows: (b := right_way(w, rows)) | {"attention_mask": b["input_ids"] ** 0}
    )
    assert write(model, given).ids != wanted


def test_an_encoder_is_padded_on_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = build("bart"), prompts()
    wanted, right_way = write(model, given).ids, Writer._pad

    def to_the_left(writer: Writer, rows: Any) -> Any:
        return {
            name: np.stack([np.roll(row, len(row) - len(p)) for row, p in zip(array, rows, strict=True)])
            for name, array in right_way(writer, rows).items()
        }

    monkeypatch.setattr(Writer, "_pad", to_the_left)
    assert write(model, given).ids != wanted


def test_the_end_token_is_left_out_and_its_absence_said() -> None:
    model, given = build("llama"), prompts(30)
    found = write(model, given)
    assert found.ended.any() and not found.ended.all()
    assert not any(ENDS & set(ids) for ids in found.ids)
    assert all(len(ids) == MOST for ids, ended in zip(found.ids, found.ended, strict=True) if not ended)
    longest = write(model, given, max_new_tokens=MOST + 8)
    assert all(a == b[: len(a)] for a, b in zip(found.ids, longest.ids, strict=True))


@pytest.mark.parametrize("pad", [PAD, 1, 7])
def test_the_pad_id_is_of_no_consequence(pad: int) -> None:
    model, given = build("qwen2"), prompts()
    assert write(model, given, pad_id=pad).ids == write(model, given).ids


def test_the_model_s_own_generation_settings_play_no_part_and_stay(said: pytest.LogCaptureFixture) -> None:
    model, given = build("llama"), prompts()
    wanted = write(model, given).ids
    settings = {
        "repetition_penalty": 3.0,
        "do_sample": True,
        "temperature": 2.0,
        "top_k": 3,
        "no_repeat_ngram_size": 1,
        "eos_token_id": 9,
        "max_length": 30,
        "suppress_tokens": [11],
    }
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    before, config = model.generation_config.to_dict(), model.config.to_dict()
    first = torch.tensor([given[0]])
    leaky = model.generate(
        first,
        attention_mask=torch.ones_like(first),
        max_new_tokens=MOST,
        do_sample=False,
        eos_token_id=sorted(ENDS),
        pad_token_id=PAD,
    )
    assert leaky[0, len(given[0]) :].tolist()[: len(wanted[0])] != wanted[0], "the settings would have mattered"
    said.clear()
    assert write(model, given).ids == wanted
    assert said.records == []
    assert (model.generation_config.to_dict(), model.config.to_dict()) == (before, config)


def test_the_last_position_ends_an_answer() -> None:
    model = build("gpt2")
    given = [[7] * (POSITIONS - left) for left in (1, 2, 2, 5, 30)]
    found = write(model, given)
    assert found.ids == [plain(model, row, min(MOST, POSITIONS - len(row)))[0] for row in given]
    assert any(not ended and len(ids) < MOST for ids, ended in zip(found.ids, found.ended, strict=True))
    with pytest.raises(ValueError, match=r"prompt 1 has 48 tokens, and the model has 48 positions.*shorten"):
        write(model, [[7], [7] * POSITIONS])
    with pytest.raises(ValueError, match="prompt 0 has 49 tokens"):
        write(build("bart"), [[7] * (POSITIONS + 1)])
    assert len(write(build("bart"), [[7] * POSITIONS], end_ids={49}, max_new_tokens=400).ids[0]) <= POSITIONS - 1


def test_draws_depend_on_the_seed_and_the_prompt_s_number_alone() -> None:
    model, given = build("qwen2"), prompts()
    found = [
        write(model, given, sampling=Sampling(1.0, 0.95, seed), batch_size=size)
        for seed, size in ((0, 8), (0, 3), (1, 8))
    ]
    assert found[0].ids == found[1].ids != found[2].ids
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert write(model, given, sampling=Sampling(1.0, 0.95)).ids == found[0].ids
    assert torch.equal(torch.get_rng_state(), state)
    assert write(model, given, sampling=Sampling(1e-4)).ids == write(model, given).ids
    assert write(model, given, sampling=Sampling(1.0, 1e-6)).ids == write(model, given).ids


def test_draws_have_the_model_s_probabilities() -> None:
    model = build("gpt2")
    count, prompt = 4000, [9, 8, 7]
    with torch.inference_mode():
        logits = model(torch.tensor([prompt])).logits[0, -1] / 2
    wanted = logits.softmax(0).numpy()
    found = write(
        model, [prompt] * count, end_ids={VOCABULARY + 1}, max_new_tokens=1, batch_size=500, sampling=Sampling(2.0)
    )
    shares = np.bincount([ids[0] for ids in found.ids], minlength=VOCABULARY) / count
    assert np.abs(shares - wanted).max() < 4 * np.sqrt(wanted.max() / count)


def test_progress_and_nothing_to_do() -> None:
    model, heard = build("gpt2"), []
    write(model, prompts(), batch_size=3, progress=lambda done, of: heard.append((done, of)))
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})
    assert heard[-1] == (8, 8) and len(heard) > 2
    heard.clear()
    write(build("t5"), prompts(), batch_size=3, progress=lambda done, of: heard.append((done, of)))
    assert heard == [(3, 8), (6, 8), (8, 8)]
    nothing = write(model, [])
    assert nothing.ids == [] and nothing.ended.shape == (0,)


def test_a_stream_that_is_left_stops_the_model() -> None:
    model, passes = build("gpt2"), []

    def slow(*_: Any) -> None:
        passes.append(1)
        time.sleep(0.02)

    hook = model.register_forward_hook(slow)
    tokens = stream(model, [9], decoding({VOCABULARY + 1}, 40))
    next(tokens)
    tokens.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "generation"]
    assert len(passes) < 20
    hook.remove()
    assert len(list(stream(model, [9], decoding({VOCABULARY + 1}, 40)))) == 40


def test_what_goes_wrong_in_a_stream_reaches_its_reader() -> None:
    model = build("gpt2")
    with pytest.raises(IndexError):
        list(stream(model, [VOCABULARY + 5], decoding(max_new_tokens=4)))


def test_models_that_cannot_write_are_refused() -> None:
    supervised = take_forward(build("gpt2"), SupervisedTokens)
    refused = [
        (supervised, "forward of training, which needs labels; load .* AutoModelForCausalLM"),
        (build("gpt2").train(), "in training mode"),
        (
            BertForSequenceClassification(
                BertConfig(
                    hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=50
                )
            ).eval(),
            "cannot write",
        ),
        (
            RobertaForCausalLM(
                RobertaConfig(
                    hidden_size=8,
                    num_hidden_layers=1,
                    num_attention_heads=1,
                    is_decoder=True,
                    intermediate_size=8,
                    vocab_size=50,
                )
            ).eval(),
            "counts positions from its pad",
        ),
    ]
    for model, message in refused:
        with pytest.raises(ValueError, match=message):
            write(model, [[7]])
        with pytest.raises(ValueError, match=message):
            stream(model, [7], decoding(max_new_tokens=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"end_ids": ()}, "end_ids is empty"),
        ({"max_new_tokens": 0}, "max_new_tokens 0"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"prompts": [[7], []]}, "prompt 1 is empty"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], message: str) -> None:
    given = options.pop("prompts", [[7]])
    with pytest.raises(ValueError, match=message):
        write(build("gpt2"), given, **options)


@pytest.mark.parametrize(("temperature", "top_p"), [(0, 1), (-1, 1), (1, 0), (1, 1.1)])
def test_sampling_out_of_range_is_refused(temperature: float, top_p: float) -> None:
    with pytest.raises(ValueError, match=r"must be above 0"):
        Sampling(temperature, top_p)


def test_adapters_write_like_the_model_they_are_on() -> None:
    peft = pytest.importorskip("peft", reason="the adapters' library is not installed")
    model, given = build("llama"), prompts()
    wanted = write(model, given).ids
    adapted = peft.get_peft_model(
        model, peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    ).eval()
    found = write(adapted, given).ids
    assert found != wanted
    assert found == write(adapted.merge_and_unload(), given).ids
