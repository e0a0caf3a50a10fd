"""Small untrained models in the registry, made in seconds: they carry code, signature and pins like any other."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel

from configs.models import Mlp
from tasks.artifact import Artifact, digest_text
from tasks.kinds.masked_lm.encoding import MaskedEncoding
from tasks.learn.losses import Criterion
from tasks.text.chat.chat_template import CHATML, CHATML_TOKENS, Template
from tasks.text.chat.make_encoding import make_dialogue_encoding
from tasks.text.encoding import Encoding
from tasks.text.tokenizer import TextTokenizer, plain_tokenizer
from tasks.text.vocabulary import learn_bpe
from tasks.tracking import runs
from tasks.tracking.model_package import Evaluated
from tasks.tracking.models import log_version
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import save_model
from tasks.vision.nets import ImageClassifier, build_net

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [
    *SPECIAL,
    *["would", "come", "back", "any", "time", "never", "again", "good", "bad", "row", "it's"],
    *map(str, range(200)),
]
IDS = {word: number for number, word in enumerate(WORDS)}
LABELS = ("neg", "pos")


def register_texts(name: str, seed: int = 0) -> str:
    """A classifier of texts; its version."""
    folder = _folder(name, seed)
    Encoding("classifier", LABELS, (), _ids("cls", "sep"), 32, "longest", 0).save(folder)
    torch.manual_seed(seed)
    BertForSequenceClassification(_config(num_labels=2)).save_pretrained(folder)
    return _register(name, folder, "classifier", "text", LABELS, [{"text": "It's good, isn't it?"}])


def register_masked(name: str) -> str:
    """A masked language model; its version."""
    folder = _folder(name, 0)
    special = _ids("cls", "sep", "mask")
    MaskedEncoding(
        "masked", (), (), special, 32, "longest", 0, share=0.15, special_ids=tuple(range(5)), vocabulary=len(WORDS)
    ).save(folder)
    torch.manual_seed(0)
    BertForMaskedLM(_config()).save_pretrained(folder)
    return _register(name, folder, "masked", "text", (), [{"text": "good [MASK]"}])


def register_images(name: str, side: int = 8) -> str:
    """A classifier of grey images; its version."""
    folder, structure = _folder(name, 0), Mlp(kind="mlp", hidden=(4,))
    encoding = ImageEncoding("image", ("a", "b", "c"), "L", side, side, True, "crop", (0.5,), (0.25,))
    encoding.save(folder)
    torch.manual_seed(0)
    net = build_net(
        {"kind": "mlp", "hidden": (4,), "activation": "relu", "dropout": 0.0, "layer_norm": False}, encoding
    )
    save_model(ImageClassifier(net, encoding, Criterion()), structure, folder)
    sample = {"image": base64.b64encode(picture(0, side)).decode()}
    return _register(name, folder, "image", "image", encoding.labels, [sample])


def dialogue_folder(folder: Path) -> Path:
    """The files of a writer of ChatML's turns, untrained."""
    folder.mkdir(parents=True, exist_ok=True)
    backend = learn_bpe(["a good row? never again"], 300)
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CHATML_TOKENS])
    end = backend.get_vocab()[CHATML_TOKENS[-1]]
    tokenizer = plain_tokenizer(backend, {"eos": end, "pad": end})
    tokenizer.save(folder)
    make_dialogue_encoding(Template(CHATML, {}), tokenizer, max_length=2048).save(folder)
    torch.manual_seed(0)
    GPT2LMHeadModel(
        GPT2Config(
            vocab_size=tokenizer.size,
            n_layer=1,
            n_head=2,
            n_embd=16,
            n_positions=2048,
            bos_token_id=end,
            eos_token_id=end,
        )
    ).save_pretrained(folder)
    return folder


def register_dialogues(name: str) -> Path:
    """A writer of dialogues; its files."""
    folder = dialogue_folder(Artifact("train", f"{name}0", "").path / "data")
    sample = {"messages": [{"role": "user", "content": "a good row?"}]}
    _register(name, folder, "dialogue", "messages", (), [sample])
    return folder


def picture(seed: int, side: int = 8, form: str = "PNG") -> bytes:
    """An image file of noise."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)
    Image.fromarray(noise).save(buffer, form)
    return buffer.getvalue()


def _config(**more: Any) -> BertConfig:
    return BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        pad_token_id=0,
        **more,
    )


def _ids(*roles: str) -> dict[str, int]:
    return {role: IDS[f"[{role.upper()}]"] for role in roles}


def _folder(name: str, seed: int) -> Path:
    folder = Artifact("train", f"{name}{seed}", "").path / "data"
    folder.mkdir(parents=True)
    backend = Tokenizer(models.WordLevel(IDS, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    TextTokenizer(backend, {}).save(folder)
    return folder


def _register(
    name: str, folder: Path, kind: str, content: str, labels: Sequence[str], samples: list[dict[str, Any]]
) -> str:
    client = runs.client()
    run_id = client.create_run(runs.experiment(client, "small")).info.run_id
    key = folder.parent.name
    made = log_version(
        client,
        name,
        run_id,
        Artifact("train", key, digest_text(key)),
        Evaluated({"kind": kind, "content": content, "labels": list(labels)}, samples),
    )
    client.set_registered_model_alias(name, "champion", made.version)
    return str(made.version)
