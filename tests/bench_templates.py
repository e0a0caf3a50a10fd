"""A folder of chat templates x dialogues: what Temper supervises beside what the model has to write, judged apart.

python tests/bench_templates.py FOLDER [--options JSON] [--only WORD] [--planted] [--verbose]. The judge knows
transformers' apply_chat_template alone. It ends with 1 where a mask is wrong or thoughts are left out in silence.
"""

import argparse
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench_templates_dialogues import DIALOGUES, TOOLS, Message  # noqa: E402
from bench_templates_judge import Impossible, Judge, freeze_clock  # noqa: E402
from bench_templates_tokenizers import KINDS, build  # noqa: E402

from tasks.data.errors import DataError  # noqa: E402
from tasks.learn.labels import IGNORE_INDEX  # noqa: E402
from tasks.text.certificate import MaskError  # noqa: E402
from tasks.text.chat.certificate import certify_dialogues  # noqa: E402
from tasks.text.chat.chat_template import Template  # noqa: E402
from tasks.text.chat.encoding import EncodedDialogues, encode_dialogues, prompt  # noqa: E402
from tasks.text.chat.make_encoding import make_dialogue_encoding  # noqa: E402

EQUAL, RIGHTLY, NEEDLESS, WRONG, SILENT = "equal", "refused", "refused though possible", "wrong", "silent"
FAULTS = ("shifted", "no end", "header", "no beginning")


class Verdict(NamedTuple):
    """What came of one template and one dialogue, and why."""

    kind: str
    why: str = ""


def runs_of(made: EncodedDialogues, stops: Sequence[int] = ()) -> dict[int, tuple[list[int], int, int]]:
    """Trained turn -> ids of its sequence and [begin, end) of its supervised run."""
    found, flat = {}, made.encoded
    for number, trained in enumerate(made.trained):
        span = slice(flat.offsets[number], flat.offsets[number + 1])
        marked = [False, *(flat.labels[span] != IGNORE_INDEX).tolist(), False]
        begins = [n for n in range(len(marked) - 1) if not marked[n] and marked[n + 1]]
        ends = [n for n in range(len(marked) - 1) if marked[n] and not marked[n + 1]]
        ids = flat.ids[span].tolist()
        inner = [n + 1 for a, b in zip(begins, ends, strict=True) for n in range(a, b - 1) if ids[n] in stops]
        if len(begins) + len(inner) == len(trained):  # turns with nothing between them
            begins, ends = sorted([*begins, *inner]), sorted([*ends, *inner])
        if len(begins) != len(trained):
            return dict.fromkeys(trained, (flat.ids[span].tolist(), 0, 0))
        for turn, begin, end in zip(trained, begins, ends, strict=True):
            found[turn] = (flat.ids[span].tolist(), begin, end)
    return found


def planted(found: dict[int, tuple[list[int], int, int]], fault: str) -> dict[int, tuple[list[int], int, int]]:
    """The same runs with a fault, to see that the judge sees it."""
    moves = {"shifted": (1, 1, 0), "no end": (0, -1, 0), "header": (-1, 0, 0), "no beginning": (-1, -1, 1)}
    if fault not in moves:
        return found
    left, right, cut = moves[fault]
    return {turn: (ids[cut:], begin + left, end + right) for turn, (ids, begin, end) in found.items()}


class Bench:
    """One template with one kind of tokenizer."""

    def __init__(self, source: str, kind: str, options: dict[str, Any]) -> None:
        self.own, self.tokenizer = build(source, kind)
        self.judge = Judge(source, self.own, options)
        self.source, self.options = source, options
        self.encodings: dict[bool, Any] = {}

    def encoding(self, *, tools: bool) -> Any:
        if tools not in self.encodings:
            more = {"template_options": self.options} if self.options else {}
            try:
                self.encodings[tools] = make_dialogue_encoding(
                    Template(self.source, {}), self.tokenizer, TOOLS if tools else [], max_length=10**6, **more
                )
            except DataError as error:
                self.encodings[tools] = error
        return self.encodings[tools]

    def verdict(self, name: str, fault: str = "") -> Verdict:
        dialogue: list[Message] = DIALOGUES[name]
        tools = any(turn.get("tool_calls") for turn in dialogue)
        wanted: dict[int, tuple[str, str]] | str
        try:
            wanted = self.judge.turns(dialogue, TOOLS if tools else None)
        except Impossible as reason:
            wanted = str(reason)
        try:
            encoding = self.encoding(tools=tools)
            if isinstance(encoding, Exception):
                raise encoding
            made = encode_dialogues(encoding, self.tokenizer, [dialogue])
            certify_dialogues(encoding, self.tokenizer, made, [name], [dialogue]).require(name)
        except (DataError, MaskError) as error:
            why = " ".join(str(error).split())
            return Verdict(RIGHTLY, why) if isinstance(wanted, str) else Verdict(NEEDLESS, why)
        found = planted(runs_of(made, encoding.end_ids), fault)
        if isinstance(wanted, str):
            return Verdict(SILENT if "thoughts" in wanted else WRONG, f"judge: {wanted}")
        return self._compared(found, wanted, dialogue, encoding)

    def _compared(self, found: Any, wanted: dict[int, tuple[str, str]], dialogue: Any, encoding: Any) -> Verdict:
        if found.keys() != wanted.keys():
            return Verdict(WRONG, f"turns {sorted(found)} instead of {sorted(wanted)}")
        for turn, (given, written) in wanted.items():
            ids, begin, end = found[turn]
            asked = self.judge.ids(given)
            if self.judge.lossless and not self.judge.spells(dialogue):
                text = self.own.decode(ids[max(begin, 0) : end])
                if text != written:
                    return Verdict(WRONG, f"turn {turn}: {text[-300:]!r} instead of {written[-300:]!r}")
            if self.judge.spells(dialogue):
                text, due = self.own.decode(ids[max(begin, 0) : end]), self.own.decode(self.judge.ids(written))
                if "".join(text.split()) != "".join(due.split()):
                    return Verdict(WRONG, f"turn {turn}: {text[-300:]!r} instead of {due[-300:]!r}")
                continue
            whole = self.judge.ids(given + written)
            if whole[: len(asked)] == asked and (ids[:end], begin) != (whole, len(asked)):
                return Verdict(WRONG, f"turn {turn}: other ids than transformers'")
            if ids[:begin] != prompt(encoding, self.tokenizer, dialogue[:turn]):
                return Verdict(WRONG, f"turn {turn}: inference is given other ids")
        return Verdict(EQUAL)


def bench(path: Path, options: dict[str, Any], fault: str, kinds: list[str]) -> dict[str, Verdict]:
    """The verdict on every dialogue; the worst of all kinds of tokenizer."""
    source, worst = path.read_text(encoding="utf-8"), {}
    order = (EQUAL, RIGHTLY, NEEDLESS, SILENT, WRONG)
    for kind in kinds:
        one = Bench(source, kind, options)
        for name in DIALOGUES:
            verdict = one.verdict(name, fault)
            if name not in worst or order.index(verdict.kind) > order.index(worst[name].kind):
                worst[name] = Verdict(verdict.kind, f"{kind}: {verdict.why}" if verdict.why else "")
    return worst


def main() -> int:
    """Print a line per template, its reasons, and the totals."""
    warnings.simplefilter("ignore")
    reader = argparse.ArgumentParser()
    reader.add_argument("folder", type=Path)
    reader.add_argument("--options", type=json.loads, default={})
    reader.add_argument("--only", default="")
    reader.add_argument("--planted", choices=FAULTS, default="")
    reader.add_argument("--tokenizers", default=",".join(KINDS))
    reader.add_argument("--verbose", action="store_true")
    asked = reader.parse_args()
    freeze_clock()
    totals: Counter[str] = Counter()
    for path in sorted(asked.folder.glob("*.jinja")):
        if asked.only in path.name:
            verdicts = bench(path, asked.options, asked.planted, asked.tokenizers.split(","))
            counts = Counter(verdict.kind for verdict in verdicts.values())
            totals += counts
            print(f"{path.stem:<64}" + "".join(f"{kind}: {n}  " for kind, n in sorted(counts.items())), flush=True)
            for kind in (WRONG, SILENT, NEEDLESS, *([RIGHTLY] if asked.verbose else [])):
                reasons: dict[str, list[str]] = {}
                for name, verdict in verdicts.items():
                    if verdict.kind == kind:
                        reasons.setdefault(verdict.why.replace(name, "…"), []).append(name)
                for why, names in reasons.items():
                    print(f"    {kind}: {', '.join(names)}: {why[:600]}")
    print("total: " + ", ".join(f"{kind} {totals[kind]:,}" for kind in (EQUAL, RIGHTLY, NEEDLESS, SILENT, WRONG)))
    return int(bool(totals[WRONG] + totals[SILENT]))


if __name__ == "__main__":
    sys.exit(main())
