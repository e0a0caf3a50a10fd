"""The masks that templates mark by {% generation %}, as TRL trains them, beside Temper's: python … FOLDER.

Per template and dialogue: equal, or how they differ: TRL marks part of the prompt, has no end token, or others.
"""

import sys
import warnings
from collections import Counter
from pathlib import Path

from bench_templates import TOOLS, Bench, freeze_clock, runs_of
from bench_templates_dialogues import DIALOGUES

from tasks.data.errors import DataError
from tasks.text.chat.encoding import encode_dialogues


def compared(one: Bench, name: str) -> str:
    """How the mask of the last trained turn differs from the block that the template marks."""
    dialogue = DIALOGUES[name]
    tools = any(turn.get("tool_calls") for turn in dialogue)
    encoding = one.encoding(tools=tools)
    if isinstance(encoding, Exception):
        return "refused by Temper"
    try:
        made = encode_dialogues(encoding, one.tokenizer, [dialogue])
    except DataError:
        return "refused by Temper"
    turn, (ids, begin, end) = max(runs_of(made, encoding.end_ids).items())
    messages = encoding.composed(dialogue, 0, turn + 1).messages
    script = encoding.script
    shown = [script.formed(message) for message in messages]
    blocks = script.template.spans(shown, TOOLS if tools else ())
    whole = script.template.render(shown, TOOLS if tools else ())
    if not blocks:
        return "TRL marks nothing"
    first, last = blocks[-1]
    text, token = one.own.decode(ids[begin:end]), one.own.decode(ids[end - 1 : end])
    added = text not in whole and text.removesuffix(token) in whole  # a template that ends no turn
    text = text.removesuffix(token) if added else text
    if not whole[first:last].strip():
        return "TRL marks nothing"
    if text not in whole:
        return "otherwise"
    place = whole.rfind(text)
    heads = "" if first == place else "marks part of the prompt" if first < place else "begins later"
    tail = place + len(text)
    if added:
        return "TRL " + " and ".join(filter(None, (heads, "has no end token")))
    ends = "" if last == tail else "leaves out the end" if last < tail else "marks what follows the end"
    return "TRL " + " and ".join(filter(None, (heads, ends))) if heads or ends else "equal"


def main() -> None:
    """Print the counts per template that has blocks, and in all."""
    warnings.simplefilter("ignore")
    freeze_clock()
    totals: Counter[str] = Counter()
    for path in sorted(Path(sys.argv[1]).glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        if "generation %}" in source or "generation -%}" in source:
            one = Bench(source, "bytes", {})
            counts = Counter(compared(one, name) for name in DIALOGUES)
            totals += counts
            print(f"{path.stem:<50}" + ", ".join(f"{kind} {n}" for kind, n in counts.most_common()), flush=True)
    print("total: " + ", ".join(f"{kind} {n:,}" for kind, n in totals.most_common()))


if __name__ == "__main__":
    main()
