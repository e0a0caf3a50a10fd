"""A plain folder and questions -> what transformers alone makes of them. `checks` runs the text of this file in a
process of its own, in which Temper cannot be imported.

Arguments: the folder, the class that reads the weights, a JSON file of questions (see questions.py), the file for the
answers. An answer has the ids, the token types where there are any, and for the first questions what the model makes
of the ids: outputs, or the ids that it writes.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import torch
import transformers

OUTPUTS, VALUES = 64, 2**24
"""Questions whose outputs are kept, and numbers in all: with the same weights and ids one more shows no more."""


def main(folder: str, auto: str, asked: str, answers: str) -> None:
    """Ask all questions and write the answers."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = getattr(transformers, auto).from_pretrained(folder, dtype=torch.float32).eval()
    with open(asked, encoding="utf-8") as file:
        questions = json.load(file)
    answered: list[Mapping[str, Any]] = []
    kept = 0
    with torch.inference_mode():
        for question in questions:
            row = answer(tokenizer, model, question, scored=len(answered) < OUTPUTS and kept < VALUES)
            kept += row["outputs"].numel() if "outputs" in row else 0
            answered.append(row)
    torch.save(answered, answers)


def answer(tokenizer: Any, model: Any, question: Mapping[str, Any], *, scored: bool) -> Mapping[str, Any]:
    """The answer to one question; scored: with the outputs, where nothing is generated."""
    given = encode(tokenizer, question)
    row = {name: given[name][0].tolist() for name in ("input_ids", "token_type_ids") if name in given}
    if "most" in question:
        if question["written"]:
            written = model.generate(**given, max_new_tokens=question["most"])[0]
            start = 1 if model.config.is_encoder_decoder else given["input_ids"].shape[1]
            row["written"] = written[start:].tolist()
    elif scored:
        row["outputs"] = model(**given).logits[0]
    return row


def encode(tokenizer: Any, question: Mapping[str, Any]) -> Any:
    """A question as the model takes it, as documentation of transformers has it."""
    if "messages" in question:
        return tokenizer.apply_chat_template(
            question["messages"],
            tools=question["tools"],
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        )
    return tokenizer(
        question["text"], question.get("text_pair"), truncation=question["truncation"], return_tensors="pt"
    )


if __name__ == "__main__":
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    main(*sys.argv[1:])
