"""A registered model and test rows -> its answers, asked as `evaluate` asks, from a process of its own."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.errors import DataError
from .fresh import run_fresh

READ = """
import json, pandas
rows, how = pandas.read_parquet(sys.argv[2]), json.loads(sys.argv[4])
"""
ASK = """
told = []
for start in range(0, len(rows), 512):
    given = list(rows["content"].iloc[start : start + 512])
    told.append(model.predict(pandas.DataFrame({"image": given}) if isinstance(given[0], bytes) else given))
told = pandas.concat(told, ignore_index=True).rename(columns={"label": "predicted"})
"""
WRITE = """
predictor = model.unwrap_python_model().predictor
given = list(rows["content"])
if "turn" in rows:
    given = [json.loads(text)[:turn] for text, turn in zip(given, rows["turn"])]
made = predictor.write(given, how["batch_size"], how["max_new_tokens"])
written = [json.dumps(one.message, ensure_ascii=False) if "turn" in rows else one.text for one in made]
told = pandas.DataFrame({"written": written, "ended": [one.ended for one in made]})
"""
"""Past what is served: that has other limits, takes one dialogue at a time, and refuses what is too long for it."""
FILL = """
predictor = model.unwrap_python_model().predictor
encoded = predictor.encoding.encode(predictor.tokenizer, list(rows["content"]))
found = predictor.foretell(encoded, list(rows["id"]), how["batch_size"])
told = pandas.DataFrame({"tokens": found.tokens, "right": found.right, "loss": found.losses})
"""
SAVE = """
told.to_parquet(sys.argv[3])
"""
ANSWERS = {
    "regression": (ASK, ("value",)),
    "seq2seq": (WRITE, ("written", "ended")),
    "dialogue": (WRITE, ("written", "ended")),
    "masked": (FILL, ("tokens", "right", "loss")),
}
"""Per kind how it is asked, and the columns of its answers as predictions have them; else ASK and `predicted`."""


def rescore(uri: str, kind: str, rows: pd.DataFrame, how: Mapping[str, Any]) -> pd.DataFrame:
    """A registered model's answers to rows, in their order.

    rows: id and content (a text, the bytes of an image file, or a dialogue as JSON), of dialogues the turn to write
    too. how: evaluate's section. Raises DataError where the model does not load or cannot answer.
    """
    program, columns = ANSWERS.get(kind, (ASK, ("predicted",)))
    limits = {name: how[name] for name in ("batch_size", "max_new_tokens") if name in how}
    with tempfile.TemporaryDirectory() as scratch:
        given, told = Path(scratch) / "given.parquet", Path(scratch) / "told.parquet"
        rows.to_parquet(given)
        done = run_fresh(READ + program + SAVE, uri, str(given), str(told), json.dumps(limits))
        if done.returncode or not told.is_file():
            raise DataError(f"it cannot be scored again: {''.join(done.stderr.strip().splitlines()[-1:])}")
        found = pd.read_parquet(told)
    if absent := [name for name in columns if name not in found]:
        raise DataError(f"it answers {list(found.columns)}, and not with {absent[0]}")
    if len(found) != len(rows):
        raise DataError(f"it answers {len(found)} rows of {len(rows)}")
    return found[list(columns)]
