"""What a further training, or none, does to calls of hotel dialogues: the turns of one model against those that another
was evaluated with, paired. `python tests/bench_hotels.py FOLDER TEST PREDICTIONS OUT RUNS [start]`

FOLDER: data of a trained dialogue or preference model; with `start` the weights that its training started from, a GGUF
file. TEST: test.parquet of the split; PREDICTIONS: predictions.parquet of the other model's evaluation on these rows;
OUT: where the turns are written, in the same form; RUNS: how many of the rows, the first, are generated.
"""

import json
import sys
from pathlib import Path

import pandas as pd
from transformers import AutoModelForCausalLM

from configs.reference import reference_of
from tasks.data.dialogues.messages import load_messages
from tasks.data.sources import hub
from tasks.data.sources.pretrained import pretrained_folder
from tasks.kinds.dialogue.contests import contests, describe_contests, slices_of
from tasks.kinds.dialogue.metrics import Turn, score_turns
from tasks.kinds.dialogue.report import written_places
from tasks.kinds.preference.report import held_to
from tasks.learn.resampling import Resampling
from tasks.text.chat.encoding import load_dialogue_encoding
from tasks.text.chat.predictor import Predictor
from tasks.text.encoding import FILE
from tasks.text.gguf_files import gguf_options
from tasks.text.loading import read_weights
from tasks.text.tokenizer import load_tokenizer

LONGEST, BATCH = 96, 16
SHOWN = ("argument_f1", "call_exact", "call_recall", "call_precision", "end_of_turn", "reply_bleu")


def start_of(folder: Path) -> Predictor:
    """The model that a training started from, with the trained one's encoding."""
    source = reference_of(held_to(folder)).model
    gguf = getattr(source, "gguf", None)
    weights = pretrained_folder(source, hub.MODEL_FILES)
    model, _ = read_weights(AutoModelForCausalLM, weights, output_loading_info=True, **gguf_options(gguf))
    encoding = load_dialogue_encoding(folder / FILE)
    return Predictor(encoding, load_tokenizer(folder, encoding.special), model.eval())


def generated(predictor: Predictor, test: pd.DataFrame) -> list[Turn]:
    """Every turn of the test dialogues after the true history."""
    dialogues = {row: load_messages(text) for row, text in zip(test["id"], test["messages"], strict=True)}
    due = [(row, place) for row, messages in dialogues.items() for place in written_places(messages)]
    written = predictor.write(
        [dialogues[row][:place] for row, place in due], BATCH, LONGEST, progress=lambda done, of: print(done, of)
    )
    return [
        Turn(row, place, dialogues[row][place], one.message, one.ended)
        for (row, place), one in zip(due, written, strict=True)
    ]


def read_turns(path: Path) -> list[Turn]:
    """Turns as an evaluation keeps them."""
    columns = (pd.read_parquet(path)[name] for name in ("id", "turn", "true", "written", "ended"))
    return [
        Turn(row, int(place), json.loads(true), json.loads(written), bool(ended))
        for row, place, true, written, ended in zip(*columns, strict=True)
    ]


def frame_of(turns: list[Turn]) -> pd.DataFrame:
    """Turns as an evaluation keeps them."""
    rows = [(one.dialogue, one.position, json.dumps(one.expected), json.dumps(one.written), one.ended) for one in turns]
    return pd.DataFrame(rows, columns=["id", "turn", "true", "written", "ended"])


def main(folder: str, rows: str, predictions: str, out: str, count: str, start: str = "") -> None:
    """Generate, keep, and print the scores and the paired tests."""
    test, how = pd.read_parquet(rows).head(int(count)), Resampling(2000, 0.95, 0)
    if not Path(out).exists():
        predictor = start_of(Path(folder)) if start else Predictor.load(Path(folder))
        frame_of(generated(predictor, test)).to_parquet(out)
    others = {(one.dialogue, one.position): one for one in read_turns(Path(predictions))}
    turns = [one for one in read_turns(Path(out)) if (one.dialogue, one.position) in others]
    beside = [others[(one.dialogue, one.position)] for one in turns]
    for name, side in (("this model", turns), ("the other", beside)):
        scores = score_turns(side, how)
        print(name, {one: (scores[one], scores[f"{one}_interval"]) for one in SHOWN})
    slices = slices_of(test, ["service"])
    print("\n".join(describe_contests(contests(turns, {"the other": beside}, slices, how))))


if __name__ == "__main__":
    main(*sys.argv[1:])
