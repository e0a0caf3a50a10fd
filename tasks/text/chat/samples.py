"""A dialogue model and histories -> what a registered copy of it must reply to them."""

import json
from collections.abc import Iterable, Sequence

from ...data.dialogues.messages import Message, tools_of
from ...data.errors import DataError
from ...documents import SampleRow
from .encoding import TooLongError
from .predictor import Predictor, spoken


def sample_turns(
    predictor: Predictor, histories: Iterable[tuple[str, Sequence[Message]]], count: int
) -> list[SampleRow]:
    """Histories by row id as OpenAI's interface has them (a whole request where a dialogue has tools of its own), and
    what a request with each gives; of the first `count` that leave room for a turn. Raises DataError where none does.
    """
    samples: list[SampleRow] = []
    refused: DataError | None = None
    for row, before in histories:
        if len(samples) == count:
            break
        try:
            predictor.prompt(before)
        except TooLongError as error:
            refused = DataError(f"row {row}: {error}; raise `encode.max_length`")
            continue
        asked = [spoken(message) for message in before if message["content"] is not None]
        tools = tools_of(list(before))
        request = {"messages": asked} | ({"custom_inputs": {"tools": json.dumps(tools)}} if tools else {})
        answer = predictor.complete(request)["choices"][0]["message"]
        samples.append({"id": row, "messages": request if tools else asked, "answer": answer})
    if refused is not None and not samples:
        raise refused
    return samples
