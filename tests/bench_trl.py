"""Dialogues into ids and labels, Temper against TRL's SFTTrainer: `python tests/bench_trl.py [folder]`.

Both get the same dialogues, tokenizer and chat template, whose {% generation %} blocks are what TRL's
assistant_only_loss reads. The folder holds crosswoz/; without it the embedded dialogues are repeated. TRL is not among
Temper's packages: `uv pip install -e '.[bench]'`.
"""

import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

os.environ |= {
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
}
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from configs.models import TrainedTokenizer  # noqa: E402
from configs.sources import CrosswozSource, EmbeddedSource  # noqa: E402
from tasks.data.dialogues.hotels import tool_schema  # noqa: E402
from tasks.data.dialogues.messages import Message, load_messages  # noqa: E402
from tasks.data.sources.provenance import Intake  # noqa: E402
from tasks.data.sources.read import read_source  # noqa: E402
from tasks.learn.labels import IGNORE_INDEX  # noqa: E402
from tasks.text.chat.certificate import certify_dialogues  # noqa: E402
from tasks.text.chat.chat_template import CHATML, CHATML_TOKENS, Template  # noqa: E402
from tasks.text.chat.encoding import DialogueEncoding, EncodedDialogues, encode_dialogues  # noqa: E402
from tasks.text.chat.make_encoding import make_dialogue_encoding  # noqa: E402
from tasks.text.tokenizer import TextTokenizer  # noqa: E402
from tasks.text.vocabulary import PAD, make_tokenizer  # noqa: E402

ROUNDS = 3
LENGTH = 1024
REPEATED = 800
HEAD = "{{- '<|im_start|>' + message.role + '\\n' + message.content }}"
END = "{{- '<|im_end|>\\n' }}\n{%- endfor %}"


class Row(NamedTuple):
    """A dialogue as token ids, and which of them are supervised."""

    ids: list[int]
    supervised: list[bool]


def marked() -> str:
    """The built-in template with its assistant turns, end token included, in {% generation %} blocks."""
    head, body = CHATML.split(HEAD)
    calls, rest = body.split(END)
    said = "{{- message.content }}" + calls + "{{- '<|im_end|>' }}"
    turn = (
        "{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.role == 'assistant' %}{%- generation %}"
        + said
        + "{%- endgeneration %}{%- else %}"
        + said
        + "{%- endif %}{{- '\\n' }}\n{%- endfor %}"
    )
    return head + turn + rest


def load(folder: Path) -> tuple[str, list[list[Message]]]:
    """What it is, and dialogues."""
    files = {name: folder / "crosswoz" / name for name in ("val.json.zip", "test.json.zip", "hotel_db.json")}
    with tempfile.TemporaryDirectory() as kept:
        if all(path.exists() for path in files.values()):
            train, test, hotels = map(str, files.values())
            source: Any = CrosswozSource(kind="crosswoz", train=train, test=test, hotels=hotels)
            return "CrossWOZ's about hotels", _messages(source, kept)
        few = _messages(EmbeddedSource(kind="embedded", name="hotel_dialogues"), kept)
    return "embedded, repeated", few * (REPEATED // len(few))


def _messages(source: Any, kept: str) -> list[list[Message]]:
    return [load_messages(text) for text in read_source(source, Intake(Path(kept)))["messages"]]


def prepare(dialogues: list[list[Message]], folder: str) -> tuple[DialogueEncoding, TextTokenizer, Any]:
    """Temper's encoding and tokenizer, and the same tokenizer as transformers has it."""
    from transformers import PreTrainedTokenizerFast

    template = Template(marked(), {})
    texts = [template.render(dialogue, [tool_schema()]) for dialogue in dialogues]
    tokenizer = make_tokenizer(TrainedTokenizer(kind="train", vocab_size=6000), texts, CHATML_TOKENS)
    tokenizer.save(Path(folder))
    own = PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", eos_token=CHATML_TOKENS[1], pad_token=PAD)
    own.chat_template = template.source
    return make_dialogue_encoding(template, tokenizer, [tool_schema()], max_length=10**6), tokenizer, own


def trainer_of(own: Any, data: Any, folder: str, length: int | None) -> Any:
    """TRL's trainer, whose construction prepares the dialogues; the model is as small as one can be."""
    from transformers import GPT2Config, GPT2LMHeadModel
    from trl import SFTConfig, SFTTrainer

    config = GPT2Config(
        n_layer=1, n_head=1, n_embd=8, n_positions=LENGTH, vocab_size=len(own), bos_token_id=0, eos_token_id=0
    )
    options = SFTConfig(
        output_dir=folder, max_length=length, assistant_only_loss=True, report_to=[], use_cpu=True, bf16=False
    )
    return SFTTrainer(GPT2LMHeadModel(config), options, train_dataset=data, processing_class=own)


def rows_of(encoded: EncodedDialogues) -> dict[int, Row]:
    """Temper's rows by the number of the dialogue."""
    flat, found = encoded.encoded, {}
    for n, dialogue in enumerate(encoded.origin.tolist()):
        span = slice(flat.offsets[n], flat.offsets[n + 1])
        found[dialogue] = Row(flat.ids[span].tolist(), (flat.labels[span] != IGNORE_INDEX).tolist())
    return found


def rows_in(data: Any) -> dict[int, Row]:
    """TRL's rows by the number of the dialogue."""
    return {one["number"]: Row(one["input_ids"], [label != IGNORE_INDEX for label in one["labels"]]) for one in data}


def count(rows: dict[int, Row]) -> int:
    """Supervised tokens."""
    return sum(sum(row.supervised) for row in rows.values())


def unended(rows: dict[int, Row], end: int) -> int:
    """Rows whose last supervised token is no end of a turn."""
    last = [[token for token, kept in zip(*row, strict=True) if kept][-1] for row in rows.values() if any(row[1])]
    return sum(token != end for token in last)


def differing(ours: dict[int, Row], theirs: dict[int, Row]) -> int:
    """Dialogues whose ids or labels differ where both have them; Temper leaves out what follows the last trained
    turn, of which nothing is supervised."""
    odd = 0
    for number in ours.keys() | theirs.keys():
        a, b = ours.get(number, Row([], [])), theirs.get(number, Row([], []))
        odd += (a.ids, a.supervised) != (b.ids[: len(a.ids)], b.supervised[: len(a.ids)])
        odd += any(b.supervised[len(a.ids) :])
    return odd


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print rows a second of both, supervised tokens of both, and where they differ."""
    try:
        import datasets
        import trl
    except ImportError:
        print("NOT RUN: TRL is not installed; uv pip install -e '.[bench]', best into a venv of its own")
        return
    warnings.simplefilter("ignore", FutureWarning)  # TRL sets an option by its old name
    datasets.disable_caching()
    datasets.disable_progress_bars()
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT.parent / "shared" / "datasets"
    what, dialogues = load(folder)
    with tempfile.TemporaryDirectory() as place:
        compare(what, dialogues, place, trl.__version__)


def compare(what: str, dialogues: list[list[Message]], place: str, version: str) -> None:
    """Time both in turn, then count."""
    from datasets import Dataset

    encoding, tokenizer, own = prepare(dialogues, place)
    plain = [[{k: v for k, v in turn.items() if k != "weight"} for turn in one] for one in dialogues]
    rows = [{"number": n, "messages": one, "tools": [tool_schema()]} for n, one in enumerate(plain)]
    data = Dataset.from_list(rows, on_mixed_types="use_json")
    assert data[0]["messages"] == plain[0], "the data set holds other messages"
    trainer = trainer_of(own, data.select(range(2)), place, None)

    def theirs() -> Any:
        return trainer._prepare_dataset(data, own, trainer.args, False, None, "train")

    def ours() -> EncodedDialogues:
        return encode_dialogues(encoding, tokenizer, plain)

    encoded, prepared = ours(), theirs()
    names = [str(n) for n in range(len(plain))]
    spent: dict[str, list[float]] = {"Temper": [], "TRL": []}
    for _ in range(ROUNDS):
        spent["Temper"].append(seconds(ours))
        spent["TRL"].append(seconds(theirs))
    certified = seconds(lambda: certify_dialogues(encoding, tokenizer, encoded, names, plain).require("all"))
    ratios = sorted(b / a for a, b in zip(spent["Temper"], spent["TRL"], strict=True))
    print(f"{len(plain):,} dialogues ({what}), TRL {version}, one thread, median of {ROUNDS} alternating rounds")
    for name in ("Temper", "TRL"):
        middle = statistics.median(spent[name])
        print(f"{name:<8}{len(plain) / middle:>9,.0f} rows/s  {middle:.2f} s")
    print(f"ratio, median of the rounds' own, {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    print(f"Temper's certificate of every row: another {certified:.2f} s")
    end = tokenizer.special_ids[CHATML_TOKENS[1]]
    tell("whole dialogues", rows_of(encoded), rows_in(prepared), end)
    trainer.args.max_length = LENGTH
    cut = encode_dialogues(replace(encoding, max_length=LENGTH), tokenizer, plain)
    tell(f"at most {LENGTH:,} tokens", rows_of(cut), rows_in(theirs()), end)
    weighed = encode_dialogues(encoding, tokenizer, dialogues)
    print(f"with turns of weight 0 left out, which TRL has no word for: Temper {count(rows_of(weighed)):,} supervised")


def tell(what: str, ours: dict[int, Row], theirs: dict[int, Row], end: int) -> None:
    """Print the counts of both."""
    print(f"{what}:")
    for name, rows in (("Temper", ours), ("TRL", theirs)):
        tokens = sum(len(row.ids) for row in rows.values())
        print(
            f"  {name:<8}{len(rows):>6,} rows {tokens:>10,} tokens {count(rows):>9,} supervised; "
            f"{unended(rows, end):,} rows end within a turn"
        )
    print(f"  dialogues whose ids or labels differ: {differing(ours, theirs):,}")


if __name__ == "__main__":
    main()
