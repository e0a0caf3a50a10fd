"""A model and token ids of prompts -> the ids that it writes after them, in batches or one at a time for a chat."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .shared_prefixes import keeps_all, write_all
from .writer import Decoding, Ids, Writer

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Generated:
    """What was written, per prompt in the given order.

    ids: without the end token. ended: bool [prompts], whether an end token was written before the room was used up.
    """

    ids: list[list[int]]
    ended: npt.NDArray[np.bool_]


def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    *,
    batch_size: int,
    progress: Progress = lambda done, of: None,
) -> Generated:
    """Write after each prompt until an end token, `max_new_tokens` tokens, or the model's last position.

    model: any generative model of transformers (causal, or an encoder with a decoder), in eval mode and with its own
    forward, so loaded by `AutoModelForCausalLM.from_pretrained` or `AutoModelForSeq2SeqLM.from_pretrained`, not as
    `take_forward` leaves it; adapters of peft may be on it. The model's own generation settings (a repetition penalty,
    say) play no part. A prompt's answer does not depend on the others in its batch, up to rounding: in float32 the
    likeliest token is the same but for ties, in half precision two near ones may change places.
    Raises ValueError for a model that cannot write, and for a prompt that is empty or leaves no position free.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size} must be at least 1")
    writer = Writer(model, decoding)
    room = writer.room(prompts)
    shared = decoding.sampling is None and keeps_all(writer.model)
    write = _write_sharing if shared else _write_batches
    cut = [writer.cut(tokens) for tokens in write(writer, prompts, room, batch_size, progress)]
    return Generated([ids for ids, _ in cut], np.array([ended for _, ended in cut], bool))


def _write_sharing(
    writer: Writer, prompts: Sequence[Sequence[int]], room: Ids, batch_size: int, progress: Progress
) -> list[list[int]]:
    return write_all(writer, prompts, room, batch_size=batch_size, progress=progress)


def _write_batches(
    writer: Writer, prompts: Sequence[Sequence[int]], room: Ids, batch_size: int, progress: Progress
) -> list[list[int]]:
    """What transformers' own loop writes after each prompt."""
    generated: list[list[int]] = [[] for _ in prompts]
    done = 0
    for rows in _batches(prompts, room, batch_size):
        written = writer.write([prompts[row] for row in rows], rows, int(room[rows[0]]))
        for row, tokens in zip(rows, written, strict=True):
            generated[row] = tokens
        progress(done := done + len(rows), len(prompts))
    return generated


def stream(model: Any, prompt: Sequence[int], decoding: Decoding) -> Iterator[int]:
    """The ids that `generate` would write after this prompt alone, each as soon as it is there.

    The model stops writing when the iterator is closed. Raises ValueError as `generate` does, at the call.
    """
    writer = Writer(model, decoding)
    room = int(writer.room([prompt])[0])
    return _tokens(writer, prompt, room)


def _batches(prompts: Sequence[Sequence[int]], room: Ids, batch_size: int) -> Iterator[Ids]:
    """Numbers of prompts by length, the longest first, so that what does not fit into memory shows at once.

    Prompts of one batch have the same room, since a row that is done is still fed until the last one is.
    """
    order = np.argsort([-len(prompt) for prompt in prompts], kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(room[order])) + 1):
        yield from (same[start : start + batch_size] for start in range(0, len(same), batch_size))


class _Closed(Exception):
    """The reader of a stream has gone."""


class _Streamer:
    """What transformers hands each new token to; the first thing that it hands over is the prompt."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[int | BaseException | None] = SimpleQueue()
        self.closed, self.begun = Event(), False

    def put(self, value: Tensor) -> None:
        if self.closed.is_set():
            raise _Closed
        if self.begun:
            self.queue.put(int(value))
        self.begun = True

    def end(self) -> None:
        """Nothing is held back."""


def _tokens(writer: Writer, prompt: Sequence[int], room: int) -> Iterator[int]:
    """transformers pushes its tokens, so it writes in a thread of its own."""
    streamer = _Streamer()

    def work() -> None:
        try:
            writer.write([prompt], np.zeros(1, np.int64), room, streamer)
            streamer.queue.put(None)
        except BaseException as error:  # raised again by the reader
            streamer.queue.put(error)

    thread = Thread(target=work, name="generation", daemon=True)
    thread.start()
    place = 0
    try:
        while (token := streamer.queue.get()) is not None:
            if isinstance(token, BaseException):
                raise token
            if writer.ends.stop(token, place):
                return
            place += 1
            yield token
    finally:
        streamer.closed.set()
        thread.join()
