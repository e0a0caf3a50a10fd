"""A saved dialogue model -> its next turn; the same code in evaluate, in the terminal and where it is served."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import AutoModelForCausalLM

from ...data.dialogues.messages import Message, read_messages, tools_of
from ..encoding import FILE
from ..generation import generate, stream
from ..loading import load_model
from ..tokenizer import TextTokenizer, load_tokenizer
from ..writer import Decoding, Ends, Sampling
from .call_proof import template_reader
from .call_reader import Reader, schemas_of
from .encoding import DialogueEncoding, TooLongError, load_dialogue_encoding, prompt
from .tool_answers import Answers, load_answers

LONGEST = 256
"""Tokens of a turn where nothing else is stated."""
UNKNOWN = ("n", "stop", "frequency_penalty", "presence_penalty", "top_k")
"""Wishes of OpenAI's interface that are refused: what they would change would not happen."""


@dataclass(frozen=True)
class Written:
    """A generated turn, and whether the model ended it itself; `fits`: whether there was room for what precedes."""

    message: Message
    ended: bool
    fits: bool = True


@dataclass(frozen=True)
class Predictor:
    """Dialogues in, the model's next turn out; `answering` is what answers its calls."""

    encoding: DialogueEncoding
    tokenizer: TextTokenizer
    model: Any
    answering: Answers = field(default_factory=Answers)
    content = "messages"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, what answers its tools, config.json and model.safetensors."""
        encoding = load_dialogue_encoding(folder / FILE)
        model = load_model(AutoModelForCausalLM, folder, device)
        return cls(encoding, load_tokenizer(folder, encoding.special), model, load_answers(folder))

    @cached_property
    def reader(self) -> Reader:
        """What reads the turns that the model generates, derived from its chat template."""
        return template_reader(self.encoding)

    @cached_property
    def first(self) -> int | None:
        """The end token with which calls begin in this template; None in most."""
        text = self.encoding.manners.first
        return self.tokenizer.marked_ids([text])[0][0] if text else None

    def callable(self, messages: Sequence[Message]) -> list[Any]:
        """JSON schemas of what can be called in a dialogue: the recipe's tools and its own."""
        return [*self.encoding.tools, *tools_of(list(messages))]

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of what it can call."""
        return tuple(str(tool["function"]["name"]) for tool in self.encoding.tools)

    def prompt(self, messages: Sequence[Message], longest: int = LONGEST) -> list[int]:
        """The ids that the model is given, with room for `longest` more tokens, half of the length at most."""
        return prompt(self.encoding, self.tokenizer, messages, min(longest, self.encoding.max_length // 2))

    def write(
        self,
        dialogues: Sequence[Sequence[Message]],
        batch_size: int = 8,
        longest: int = LONGEST,
        sampling: Sampling | None = None,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> list[Written]:
        """The next turn of each dialogue; an empty one where the turns since the user's last one are too long."""
        prompts = [self._fitting(messages, longest) for messages in dialogues]
        generated = generate(
            self.model,
            [ids for ids in prompts if ids is not None],
            self._decoding(longest, sampling),
            batch_size=batch_size,
            progress=progress,
        )
        written = zip(self.tokenizer.decode(generated.ids), generated.ended, strict=True)
        silent = Written({"role": "assistant", "content": ""}, ended=False, fits=False)
        return [
            silent if ids is None else self._written(messages, *next(written))
            for messages, ids in zip(dialogues, prompts, strict=True)
        ]

    def _decoding(self, longest: int, sampling: Sampling | None = None) -> Decoding:
        return Decoding(Ends(frozenset(self.encoding.end_ids), self.first), longest, self.encoding.pad_id, sampling)

    def _fitting(self, messages: Sequence[Message], longest: int) -> list[int] | None:
        try:
            return self.prompt(messages, longest)
        except TooLongError:
            return None

    def _written(self, messages: Sequence[Message], text: str, ended: Any) -> Written:
        return Written(self.read(text, messages), bool(ended))

    def stream(self, messages: Sequence[Message], longest: int = LONGEST) -> Iterator[str]:
        """The next turn's text, piece by piece; a piece ends where a character does."""
        ids: list[int] = []
        sent = ""
        for token in stream(self.model, self.prompt(messages, longest), self._decoding(longest)):
            ids.append(token)
            text = self.tokenizer.decode([ids])[0]
            if not text.endswith("\ufffd"):
                yield text[len(sent) :]
                sent = text

    def may_be_call(self, text: str) -> bool:
        """Whether what is written so far may become a call, so that it should not be shown as a reply yet."""
        begun, opens = text.lstrip(), self.reader.begins
        if opens and opens.startswith(begun[: len(opens)]):
            return True
        return not begun or begun[0] in "<[{`" or any(name.startswith(begun[: len(name)]) for name in self.tools)

    def read(self, text: str, messages: Sequence[Message] = ()) -> Message:
        """A written turn's text as a message; messages: the dialogue before it, whose tools it may call."""
        return self.reader.read(text, schemas_of(self.callable(messages)))

    def answers(self, call: Message) -> list[Message]:
        """What a turn's calls give: tool messages; what a call does wrong is reported to the model."""
        return [self.answering.message(call["function"]) for call in call.get("tool_calls", ())]

    @property
    def entry_points(self) -> dict[str, str]:
        """Tools that a Python function answers, each with the `module:function`, which only a chat may call."""
        return dict(self.answering.entries)

    def complete(self, model_input: Any) -> Any:
        """OpenAI's chat completion of {"messages": …}, or of each row of a table. Raises ValueError."""
        rows: list[Any] = model_input.to_dict("records") if isinstance(model_input, pd.DataFrame) else [model_input]
        done = [self._complete(row) for row in rows]
        return done[0] if len(done) == 1 else done

    def _complete(self, asked: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in asked.items() if _there(value)}
        if refused := [name for name in UNKNOWN if name in given and (name, given[name]) != ("n", 1)]:
            raise ValueError(f"this model does not take {refused[0]!r}; leave it out")
        if "messages" not in given:
            raise ValueError("a request needs `messages`, a list of {role, content}")
        messages = read_messages(given["messages"], tools=_own_tools(given))
        heat = float(given.get("temperature", 0))
        sampling = Sampling(heat, float(given.get("top_p", 1))) if heat else None
        longest = int(given.get("max_tokens", LONGEST))
        self.prompt(messages, longest)  # raises what a caller should know
        (written,) = self.write([messages], longest=longest, sampling=sampling)
        calls = written.message.get("tool_calls", ())
        reason = "length" if not written.ended else "tool_calls" if calls else "stop"
        choice = {"index": 0, "message": spoken(written.message), "finish_reason": reason}
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": "temper",
            "choices": [choice],
        }


def spoken(message: Message) -> Message:
    """A message as OpenAI's interface has it: every call with an id, its arguments as JSON text."""
    calls = []
    for number, call in enumerate(message.get("tool_calls", ())):
        named = {**call["function"], "arguments": json.dumps(call["function"]["arguments"], ensure_ascii=False)}
        calls.append({"id": f"call-{number}", "type": "function", "function": named})
    kept = {name: message[name] for name in ("role", "content", "reasoning_content", "name") if name in message}
    return kept | ({"tool_calls": calls} if calls else {})


def _own_tools(given: dict[str, Any]) -> Any:
    """A request's tools: OpenAI's `tools`, or JSON text in `custom_inputs`, which MLflow passes on as it is."""
    custom_inputs = given.get("custom_inputs")
    return given.get("tools") or (custom_inputs.get("tools") if isinstance(custom_inputs, dict) else None)


def _there(value: Any) -> bool:
    return isinstance(value, list | tuple | dict) or not pd.isna(value)
