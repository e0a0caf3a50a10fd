"""What a plain folder states about itself: its README.md, for whoever opens it without Temper."""

import json
from typing import Any

from ...data.escape import markdown
from ...data.sources.pretrained import RECORD, in_words
from ...kinds.spec import Kind
from ...tracking.exports import Origin
from .questions import reads_marks

ENCODER = """\
from transformers import AutoTokenizer, {auto}

tokenizer = AutoTokenizer.from_pretrained(".")
model = {auto}.from_pretrained(".").eval()
logits = model(**tokenizer({given}, truncation={cut}, return_tensors="pt")).logits
"""
WRITER = """\
from transformers import AutoTokenizer, {auto}

tokenizer = AutoTokenizer.from_pretrained(".")
model = {auto}.from_pretrained(".").eval()
written = model.generate(**tokenizer({given}, truncation=True, return_tensors="pt"))
print(tokenizer.decode(written[0], skip_special_tokens=True))
"""
CHAT = """\
from transformers import AutoTokenizer, {auto}

tokenizer = AutoTokenizer.from_pretrained(".")
model = {auto}.from_pretrained(".").eval()
messages = [{{"role": "user", "content": "…"}}]
given = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
written = model.generate(**given)[0, given["input_ids"].shape[1] :]
print(tokenizer.decode(written, skip_special_tokens=True))
"""


def describe(origin: Origin, kind: Kind, predictor: Any) -> str:
    """The text: what it is, how transformers reads it, its scores, and what is left to whoever uses it so."""
    encoding = predictor.encoding
    scores = [f"| {markdown(name)} | {origin.facts['scores'][name]:.4f} |" for name in origin.facts["shown"]]
    lines = [
        "---",
        "library_name: transformers",
        "---",
        "",
        f"# {markdown(origin.named)}",
        "",
        f"This is {kind.noun}, exported by Temper. The digest of the model is `{origin.digest}`.",
        *_weights(origin),
        "",
        "```python",
        *_usage(kind, encoding).splitlines(),
        "```",
        "",
        f"Scores on {origin.facts['rows']:,} test rows, as registered:",
        "",
        "| score | |",
        "|---|---:|",
        *scores,
        "",
        "What transformers leaves to you:",
        "",
        *(f"- {remark}" for remark in _left(kind, encoding)),
    ]
    return "\n".join(lines) + "\n"


def _weights(origin: Origin) -> list[str]:
    """What the training started from, and its licence, where the recipe names weights."""
    record = origin.stages["train"].records / RECORD
    if not record.is_file():
        return []
    known = json.loads(record.read_text(encoding="utf-8"))
    return ["", f"Its training {markdown(in_words(known))}."]


def _usage(kind: Kind, encoding: Any) -> str:
    if kind.chats:
        return CHAT.format(auto=kind.plain)
    pair = getattr(encoding, "pair", None)
    cut = '"only_second"' if pair and pair.truncation == "second_only" else "True"
    given = '"…", "…"' if pair else '"…"'
    return (ENCODER if kind.exports else WRITER).format(auto=kind.plain, given=given, cut=cut)


def _left(kind: Kind, encoding: Any) -> list[str]:
    """What Temper does around the model that these lines do not."""
    remarks = [f"A row is read up to {encoding.max_length:,} tokens; `truncation` cuts it where Temper does."]
    if kind.chats:
        remarks[0] = f"It was trained on {encoding.max_length:,} tokens; older turns are yours to drop."
        remarks.append("The system text and tools of the recipe, where it has any, are in the chat template.")
        remarks.append("Calls of tools are written as text, which `temper serve` reads and transformers does not.")
    if encoding.labels and kind.exports:
        remarks.append("The classes are in `model.config.id2label`, in the order of the outputs.")
    if prefix := getattr(encoding, "prefix", ""):
        remarks.append(f"Before each text stands {markdown(repr(prefix))}.")
    if hasattr(encoding, "thresholds"):
        remarks.append(
            "A label counts where its probability (a sigmoid) is at least its threshold in `thresholds.json`."
        )
    if hasattr(encoding, "sd"):
        remarks.append(f"The number is the output × {encoding.sd!r} + {encoding.mean!r}.")
    if hasattr(encoding, "overlap"):
        remarks[0] = f"A text is read up to {encoding.max_length:,} tokens."
        remarks.append("A word's tag is that of its first piece; longer texts are read in windows that overlap.")
    if reads_marks(kind):
        remarks.append("Special tokens that somebody types are special tokens; Temper takes them for letters.")
    return remarks
