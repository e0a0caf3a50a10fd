"""What a plain folder states about itself: its README.md, for whoever opens it without Temper."""

from typing import Any

from ...data.escape import markdown
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


def _usage(kind: Kind, encoding: Any) -> str:
    if kind.chats:
        return CHAT.format(auto=kind.plain)
    pair = getattr(encoding, "pair", None)
    cut = '"only_second"' if pair and pair.truncation == "second_only" else "True"
    given = '"…", "…"' if pair else '"…"'
    return (ENCODER if kind.exports else WRITER).format(auto=kind.plain, given=given, cut=cut)


def _left(kind: Kind, encoding: Any) -> list[str]:
    """What Temper does around the model that these lines do not."""
    remarks = [f"A row is read up to {encoding.max_length:,} tokens; how what is longer is treated is Temper's alone."]
    if kind.chats:
        remarks[0] = f"It was trained on {encoding.max_length:,} tokens; older turns are yours to drop."
        remarks.append("The system text and tools of the recipe, where it has any, are in the chat template.")
        remarks.append("Calls of tools are written as text, which `temper serve` reads and transformers does not.")
    if prefix := getattr(encoding, "prefix", ""):
        remarks.append(f"Before each text stands {markdown(repr(prefix))}.")
    if hasattr(encoding, "thresholds"):
        remarks.append(
            "A label counts where its probability (a sigmoid) is at least its threshold in `thresholds.json`."
        )
    if hasattr(encoding, "sd"):
        remarks.append(f"The number is the output × {encoding.sd!r} + {encoding.mean!r}.")
    if hasattr(encoding, "overlap"):
        remarks.append("A word's tag is that of its first piece; longer texts are read in windows that overlap.")
    if reads_marks(kind):
        remarks.append("Special tokens that somebody types are special tokens; Temper takes them for letters.")
    return remarks
