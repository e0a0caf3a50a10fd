"""A chat template -> its manners, found by rendering probes: the form of a call's arguments, ids, thoughts, headers."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from .chat_template import Template
from .end_of_turn import NO_CALLS, STAND_IN, USER, WRITTEN, Ending, Prober, probe_call, shared, special_pattern

THOUGHT = "Brellum"
ARGUMENTS = {"probe": WRITTEN, "deep": {"on": True, "none": None, "of": [1, "a"]}}
"""Of a call whose form is inspected: what JSON and Python write otherwise."""
LONG_ID = "call_a1B2c3D4e5F6g7H8i9J0k1L2"
"""As OpenAI writes them."""
ROLE = re.compile(r"assistant|model|gpt|\b(?:bot|ai)\b|response:|<[^<>]*response>", re.IGNORECASE)
"""How templates call the model in the header of its turns."""
Form = Literal["object", "text"]


@dataclass(frozen=True)
class Manners:
    """arguments: what the template takes for a call's arguments, an object or JSON text; any_id: it takes calls' ids as
    the data has them. closing: what it writes behind thoughts, whatever comes next; None where it writes none.
    header: how its generation prompt begins, or ends where it is written unasked. no_calls: why calls cannot be
    trained, where they cannot. first: the end token with which a call without text begins; a reply never does, so that
    generation goes on behind it. parts: it takes content as a list of parts. null_content: it writes calls
    only where the content next to them is null."""

    arguments: Form = "object"
    any_id: bool = True
    closing: str | None = None
    header: str = ""
    no_calls: str = NO_CALLS
    first: str = ""
    parts: bool = False
    null_content: bool = False


def as_text(arguments: Any) -> str:
    """A call's arguments as JSON text."""
    return json.dumps(arguments, ensure_ascii=False)


FORMS: dict[str, Callable[[Any], Any]] = {"object": lambda arguments: arguments, "text": as_text}


def learn(
    template: Template, tools: Sequence[Message], specials: Sequence[str], eos: str | None
) -> tuple[dict[str, Ending], Manners]:
    """How turns end, and the rest. Raises DataError where a template cannot write replies."""
    prober = Prober(template, tools, specials, eos)
    endings = {"assistant": prober.reply()}
    header = _header(prober)
    _need_prompt(prober, header)
    manners = Manners(header=header or _standing_header(prober), parts=template.parts)
    for tool_prober in _toolboxes(prober, tools):
        name = str(tool_prober.tools[0]["function"]["name"]) if tool_prober.tools else "probe"
        try:
            form = _form(tool_prober, name)
            endings["call"], first = tool_prober.call(name, FORMS[form], endings["assistant"].token)
        except DataError as error:
            manners = manners if tool_prober.template.null_content else replace(manners, no_calls=str(error))
            continue
        manners = replace(
            manners,
            arguments=form,
            any_id=_takes_ids(tool_prober, name, form),
            first=first,
            no_calls=NO_CALLS,
            null_content=tool_prober.template.null_content,
        )
        prober = replace(prober, template=tool_prober.template)
        break
    return endings, _with_thoughts(prober, manners, endings)


def _toolboxes(prober: Prober, tools: Sequence[Message]) -> list[Prober]:
    """The prober with each set of tools, and with each form of the content next to calls, that a template may need."""
    return [
        replace(prober, tools=given, template=replace(prober.template, null_content=null))
        for given in ([tools] if tools else ([STAND_IN], []))
        for null in (False, True)
    ]


def _need_prompt(prober: Prober, header: str) -> None:
    """Raise DataError where the template writes no generation prompt, so that replies would begin with their header."""
    asked = [{"role": "user", "content": USER}]
    given, whole = (
        prober.render(asked, generation=True),
        prober.render([*asked, {"role": "assistant", "content": WRITTEN}]),
    )
    lead = whole[len(given) : whole.find(WRITTEN)] if whole.startswith(given) and not header else ""
    if ROLE.search(lead):
        raise DataError(
            f"the chat template writes no generation prompt, so that the model would be trained to write {lead[:40]!r}"
            ", the header of its own turn; add it to the template behind {% if add_generation_prompt %}"
        )


def _header(prober: Prober) -> str:
    """The generation prompt behind a user turn, up to its first special token and the letters behind that."""
    asked = [{"role": "user", "content": USER}]
    given = prober.render(asked, generation=True)
    opened = given[shared(given, prober.render(asked)) :].strip()
    first = special_pattern(prober.specials).search(opened)
    if first is None:
        return opened.splitlines()[0] if opened else ""
    letters = opened[first.end() :]
    size = next((n for n, letter in enumerate(letters) if not letter.isalpha()), len(letters))
    return opened[: first.end() + size]


def _standing_header(prober: Prober) -> str:
    """How the last line behind a user's words ends, from its last special token on: a prompt that is always there."""
    given = prober.render([{"role": "user", "content": USER}], generation=True)
    line = given.rpartition(USER)[2].strip().rpartition("\n")[2]
    return line[max((token.start() for token in special_pattern(prober.specials).finditer(line)), default=0) :]


def _form(prober: Prober, name: str) -> Form:
    """The form in which arguments come out as JSON, or as the template spells each of them, and not as Python's text
    of an object. Raises DataError where neither does."""
    reasons = []
    for form in ("object", "text"):
        call = probe_call(name, FORMS[form](ARGUMENTS))
        try:
            text = prober.render([{"role": "user", "content": USER}, call])
        except DataError as error:
            reasons.append(str(error))
            continue
        if WRITTEN not in text:
            reasons.append(NO_CALLS)
        elif str(ARGUMENTS) in text:
            reasons.append("the chat template writes a call's arguments as Python does, not as JSON; fix it by tojson")
        elif form == "text" and as_text(as_text(ARGUMENTS))[1:-1] in text:
            reasons.append("the chat template escapes a call's arguments twice; take its tojson out there")
        else:
            return "object" if form == "object" else "text"
    raise DataError(reasons[0] if reasons[0] != NO_CALLS else reasons[-1])


def _takes_ids(prober: Prober, name: str, form: Form) -> bool:
    call = probe_call(name, FORMS[form]({"probe": WRITTEN}))
    call["tool_calls"][0]["id"] = LONG_ID
    result = {"role": "tool", "name": name, "tool_call_id": LONG_ID, "content": "x"}
    try:
        prober.render([{"role": "user", "content": USER}, call, result])
    except DataError:  # Mistral: nine letters and digits
        return False
    return True


def _with_thoughts(prober: Prober, manners: Manners, endings: dict[str, Ending]) -> Manners:
    """The same with what closes thoughts: what replies and calls have in common behind them."""
    behind = []
    asked = {"role": "user", "content": USER}
    turns: list[Message] = [{"role": "assistant", "content": WRITTEN}]
    if "call" in endings:
        turns.append(probe_call("probe", FORMS[manners.arguments]({"probe": WRITTEN})))
    for turn in turns:
        try:
            text = prober.render([asked, {**turn, "reasoning_content": THOUGHT}])
        except DataError:
            continue
        if THOUGHT in text and WRITTEN in text[text.rindex(THOUGHT) :]:
            behind.append(text[text.rindex(THOUGHT) + len(THOUGHT) :])
    if not behind:
        return manners
    closing = behind[0][: min(shared(behind[0], other) for other in behind)]
    closing = closing.split(WRITTEN)[0]
    return replace(manners, closing=closing)
