"""GGUF files as weights and tokenizer: dequantised as the format says, reported, refused when damaged, trained on."""

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import pre_tokenizers

from configs.lora import Lora
from configs.models import HubTokenizer, LocalModel, LocalTokenizer
from configs.schema import Train
from tasks.artifact import digest_file
from tasks.data.errors import DataError
from tasks.encode import libraries as encode_libraries
from tasks.kinds.text_classification.encoding import LabelWordEncoding
from tasks.kinds.text_classification.training import FORMS, TextClassification
from tasks.pins import pin
from tasks.text.encoding import Encoding
from tasks.text.gguf_files import gguf_options, gguf_template
from tasks.text.models import build_model
from tasks.text.scratch import new_model
from tasks.text.vocabulary import make_tokenizer
from tasks.train import libraries

WIDE, LAYERS, HIDDEN = 64, 1, 96
TOKENS = ["<pad>", "<start>", "<end>", "<unk>", "<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "ab"]
TEMPLATE = "{% for m in messages %}{{ bos_token + m.content + eos_token }}{% endfor %}"
needs_gguf = pytest.mark.skipif(find_spec("gguf") is None, reason="the extra gguf is not installed (make pretrained)")


def write(path: Path, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """A Llama of one layer: matrices in Q4_1, the embedding in Q8_0, norms in F32; what they dequantise to."""
    from gguf import GGMLQuantizationType as Type
    from gguf import GGUFWriter, dequantize, quantize

    writer, draw = GGUFWriter(path, "llama"), np.random.default_rng(seed)
    writer.add_block_count(LAYERS)
    writer.add_context_length(32)
    writer.add_embedding_length(WIDE)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_rope_dimension_count(WIDE // 2)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * 5 + [1] * (len(TOKENS) - 5))
    writer.add_token_merges(["a b"])
    writer.add_pad_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(3)
    writer.add_chat_template(TEMPLATE)
    found = {}
    shapes = {
        "token_embd": (len(TOKENS), WIDE),
        "blk.0.ffn_gate": (HIDDEN, WIDE),
        "blk.0.ffn_up": (HIDDEN, WIDE),
        "blk.0.ffn_down": (WIDE, HIDDEN),
    } | {f"blk.0.attn_{one}": (WIDE, WIDE) for one in "qkv"}
    for name, shape in (shapes | {"blk.0.attn_output": (WIDE, WIDE)}).items():
        kind = Type.Q8_0 if name == "token_embd" else Type.Q4_1
        packed = quantize(draw.normal(0, 0.1, shape).astype(np.float32), kind)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=kind)
        found[name] = dequantize(packed, kind)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDE, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data" / "net"
    place.mkdir()
    return place


def source(**changes: Any) -> LocalModel:
    return LocalModel(**{"kind": "files", "path": "net", "gguf": "small.gguf", **changes})


def tokens(**changes: Any) -> LocalTokenizer:
    return LocalTokenizer(**{"kind": "files", "path": "net", "gguf": "small.gguf", **changes})


def writer_of(tokenizer: Any) -> Encoding:
    return LabelWordEncoding("label_word", ("neg", "pos"), (4, 5), {"eos": tokenizer.special["eos"]}, 16, "longest", 0)


@needs_gguf
def test_weights_are_what_the_file_dequantises_to_and_the_model_says_so(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = write(folder / "small.gguf")
    tokenizer = make_tokenizer(tokens(), [])
    model = build_model(source(), FORMS["label_word"], writer_of(tokenizer), tokenizer, 0)
    assert capfd.readouterr().err == "", "no bar runs through those of Temper's own stages"
    state = model.state_dict()
    assert torch.equal(state["model.embed_tokens.weight"], torch.tensor(values["token_embd"]))
    for ours, theirs in (("gate", "ffn_gate"), ("up", "ffn_up"), ("down", "ffn_down")):
        found = state[f"model.layers.0.mlp.{ours}_proj.weight"]
        assert found.dtype == torch.float32 and torch.equal(found, torch.tensor(values[f"blk.0.{theirs}"]))
    digest = digest_file(folder / "small.gguf")
    assert model.loaded == (
        f"- dequantised to float32 from small.gguf (sha256 {digest[:16]}…): 3 tensors of F32, "
        "7 tensors of Q4_1, 1 tensors of Q8_0"
    )
    model.save_pretrained(tmp_path / "saved")
    known = json.loads((tmp_path / "saved" / "config.json").read_text())["dequantised_from"]
    assert known == {"file": "small.gguf", "sha256": digest, "types": {"F32": 3, "Q4_1": 7, "Q8_0": 1}}


@needs_gguf
def test_tokenizer_and_chat_template_come_from_the_file(folder: Path) -> None:
    write(folder / "small.gguf")
    tokenizer = make_tokenizer(tokens(), [])
    assert tokenizer.ids(["abc"]) == [[TOKENS.index("ab"), TOKENS.index("c")]]
    assert tokenizer.special["eos"] == 2 and tokenizer.special["pad"] == 0
    template = gguf_template(folder / "small.gguf")
    assert template is not None
    assert template.render([{"role": "user", "content": "ab"}]) == "<start>ab<end>"


@needs_gguf
def test_the_file_alone_counts_for_the_key_and_its_reader_too(folder: Path) -> None:
    write(folder / "small.gguf")
    (folder / "README.md").write_text("one")
    first = pin(source(), ask=False)[1]
    (folder / "README.md").write_text("two")
    assert pin(source(), ask=False)[1] == first
    assert first["files"] == {"small.gguf": digest_file(folder / "small.gguf")}
    assert "gguf" in libraries(Train(model=source())) and "gguf" not in libraries(Train(model=source(gguf=None)))

    class Section:
        kind, tokenizer = "label_word", tokens()

    assert "gguf" in encode_libraries(Section())  # type: ignore[arg-type]
    assert new_model(source())["config"]["hidden_size"] == WIDE


@needs_gguf
@pytest.mark.parametrize("how", ["cut", "empty header", "sha256", "4bit"])
def test_a_damaged_or_other_file_is_refused(folder: Path, how: str) -> None:
    write(folder / "small.gguf")
    tokenizer = make_tokenizer(tokens(), [])
    path, changes, base = folder / "small.gguf", {}, "float32"
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-3000])
        said = "small.gguf: not a whole GGUF file"
    elif how == "empty header":
        path.write_bytes(b"GGXF" + path.read_bytes()[4:])
        said = "small.gguf: not a whole GGUF file"
    elif how == "sha256":
        changes, said = (
            {"sha256": "0" * 64},
            f"small.gguf has sha256 {digest_file(path)}, and the recipe states 0{{64}}",
        )
    else:
        base, said = "4bit", "4bit is not for a GGUF file"
    with pytest.raises(DataError, match=said):
        build_model(source(**changes), replace(FORMS["label_word"], base=base), writer_of(tokenizer), tokenizer, 0)


@needs_gguf
def test_lora_trains_beside_dequantised_weights_that_stay(folder: Path, tmp_path: Path) -> None:
    values = write(folder / "small.gguf")
    tokenizer = make_tokenizer(tokens(), [])
    domain = TextClassification(writer_of(tokenizer), tokenizer)
    section = Train(model=source(), lora=Lora(rank=2))
    model = domain.model(section, None)
    rows = torch.tensor([[6, 7, 8, 9], [9, 8, 7, 6]])
    optimizer = torch.optim.SGD([value for value in model.parameters() if value.requires_grad], 0.05)
    losses = []
    for _ in range(5):
        loss = model(input_ids=rows, attention_mask=torch.ones_like(rows), labels=rows).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    state = model.state_dict()
    assert torch.equal(state["model.embed_tokens.weight"], torch.tensor(values["token_embd"])), "frozen"
    domain.save(model, section, tmp_path / "saved")
    assert "dequantised_from" in json.loads((tmp_path / "saved" / "config.json").read_text())


def test_without_the_extra_its_name_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)  # as where it is not installed
    with pytest.raises(DataError, match=r"small\.gguf: GGUF files need the package gguf: pip install 'temper\[gguf\]'"):
        gguf_options("small.gguf")


def test_a_gguf_file_is_named_without_a_folder() -> None:
    for wrong in ("a/b.gguf", "net.safetensors"):
        with pytest.raises(ValueError, match="gguf"):
            HubTokenizer(kind="hub", repo="a/b", gguf=wrong)
