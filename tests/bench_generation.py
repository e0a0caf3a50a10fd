"""Turns of a trained dialogue model, with the prompts of a dialogue read once and with transformers' own loop:
`python tests/bench_generation.py MODEL_FOLDER test.parquet DIALOGUES`. Prints processor time and whether ids agree."""

import sys
import time
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import torch

from tasks.data.dialogues.messages import load_messages
from tasks.kinds.dialogue.report import written_places
from tasks.text import generation
from tasks.text.chat.predictor import Predictor
from tasks.text.shared_prefixes import keeps_all
from tasks.text.writer import Decoding, Ends

LONGEST, BATCH = 96, 16


def main(folder: str, rows: str, count: str) -> None:
    """Generate the turns of the first dialogues both ways."""
    predictor = Predictor.load(Path(folder))
    dialogues = [load_messages(text) for text in pd.read_parquet(rows)["messages"]][: int(count)]
    turns = [one[:place] for one in dialogues for place in written_places(one)]
    prompts = [predictor.prompt(history, LONGEST) for history in turns]
    found, seconds = {}, {}
    for name, rule in (("prompts read once", keeps_all), ("transformers' loop", lambda model: False)):
        start = time.process_time()
        with patch.object(generation, "keeps_all", rule):
            found[name] = generation.generate(
                predictor.model,
                prompts,
                Decoding(
                    Ends(frozenset(predictor.encoding.end_ids), predictor.first), LONGEST, predictor.encoding.pad_id
                ),
                batch_size=BATCH,
            ).ids
        seconds[name] = time.process_time() - start
        print(f"{name}: {seconds[name]:.1f} s of processor time, {torch.get_num_threads()} threads", flush=True)
    one, other = found.values()
    same = sum(a == b for a, b in zip(one, other, strict=True))
    read_once, loop = seconds.values()
    print(f"{same} of {len(prompts)} turns have the same ids; ratio {loop / read_once:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
