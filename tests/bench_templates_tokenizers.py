"""Tokenizers for a template whose own is not there: its special tokens by a rule, in several manners of white space.

The rule: texts of the forms in SPECIAL that stand in the source, or in what it writes of a few dialogues, and the
bos and eos of its family where it names them.
"""

import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tasks.text.tokenizer import TextTokenizer
from tasks.text.vocabulary import read_folder

SPECIAL = re.compile(
    r"<\|[A-Za-z_▁][\w▁/:.-]{0,40}\|>|<｜[^｜<>\s]{1,40}｜>|<(?:start|end)_of_\w+>|\[/?[A-Z][A-Z_]{2,30}\]|\[gMASK\]"
    r"|</?s>|<(?:bos|eos|sop|pad)>|<(?:BOS|EOS)_TOKEN>|<SPECIAL_\d+>|<seed:\w+>|<\|[a-z]+>|<[a-z]+\|>|]~b]|\[e~\[|]~!b\["
)
BEGIN = (
    "<|begin_of_text|>",
    "<bos>",
    "<BOS_TOKEN>",
    "<｜begin▁of▁sentence｜>",
    "<|startoftext|>",
    "<seed:bos>",
    "]~!b[",
    "<s>",
)
END = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eot|>",
    "<end_of_turn>",
    "<turn|>",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
    "<seed:eos>",
    "[e~[",
    "<|return|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "</s>",
)
KINDS = ("bytes", "first", "legacy", "stripping")
TEXTS = [
    "Where is it warm? In the south. Further south.\n\n",
    '{"name": "weather", "arguments": {"city": "Rome"}}',
    "user\nassistant\nsystem\ntool\n",
    "<think>\n</think>\n\n",
    "The city. Be brief. And then?",
] * 4


def specials_of(source: str) -> list[str]:
    """Special tokens of a template, by the rule."""
    from bench_templates_judge import sample

    found = dict.fromkeys(SPECIAL.findall(source) + SPECIAL.findall(sample(source)))
    for text in (_first(BEGIN, found), _first(END, found)):
        found.setdefault(text)
    return list(found)


def _first(known: tuple[str, ...], found: Any) -> str:
    return next((text for text in known if text in found), known[-1])


def build(source: str, kind: str) -> tuple[Any, TextTokenizer]:
    """The tokenizer as transformers has it, and as Temper reads it from the same folder."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    specials = specials_of(source)
    backend = Tokenizer.from_str(_plain(kind))
    strips = {"rstrip": True} if kind == "stripping" else {}
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False, **strips) for text in specials])
    with tempfile.TemporaryDirectory() as place:
        own = PreTrainedTokenizerFast(
            tokenizer_object=backend, bos_token=_first(BEGIN, specials), eos_token=_first(END, specials)
        )
        own.save_pretrained(place)
        return AutoTokenizer.from_pretrained(place), read_folder(Path(place), lowercase=False)


@cache
def _plain(kind: str) -> str:
    """A small BPE of one manner of white space, as JSON."""
    if kind in ("bytes", "stripping"):
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        backend.post_processor = processors.ByteLevel(trim_offsets=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        backend.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet))
        return str(backend.to_str())
    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    rest = [decoders.ByteFallback(), decoders.Fuse()]
    if kind == "first":  # legacy: false
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        backend.decoder = decoders.Sequence([decoders.Metaspace(prepend_scheme="first"), *rest])
    else:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), *rest, decoders.Strip(content=" ", left=1, right=0)]
        )
        backend.pre_tokenizer = pre_tokenizers.Split(Regex("(?<=.)(?=▁)"), "isolated")
    bytes_ = [f"<0x{n:02X}>" for n in range(256)]
    letters = sorted(set("".join(TEXTS)))
    backend.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", *bytes_], initial_alphabet=letters)
    )
    if kind == "legacy":
        backend.pre_tokenizer = None
    made = json.loads(backend.to_str())
    made["added_tokens"] = made["added_tokens"][:1]  # bytes are pieces as others are
    return json.dumps(made)
