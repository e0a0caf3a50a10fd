"""CrossWOZ's dialogues in; dialogues about hotels as messages, with the searches behind them, and every fate, out.

Which messages stay. An exchange is a user's turn and the system's answer. It is about hotels if either turn carries an
act of the domain 酒店; it is general if neither carries an act beyond greetings, thanks and farewells. A run begins at
an exchange about hotels and goes on as long as exchanges are about hotels or general; all else is dropped.

Which searches stand before an answer. CrossWOZ records the query with which the system began its turn and the one with
which it ended it. Each that differs from the query last searched in the run becomes a call with its constraints as
arguments, and a result: so a query without a match that the system then relaxed shows as two. Constraints on what lies
near a hotel are no arguments of the tool; a query that has no other is not searched. The records are at most LIMIT of
the hotels that fit, or as many as the system then picked; the picked come first, so that the answer is about what was
found.

Which answers are given, not trained (weight 0): those that concern another domain or of what lies near a hotel. No
record holds either, so a model trained on them would learn to invent.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dialogues.hotels import FROM_CHINESE, LIMIT, SLOTS, Hotels
from ..dialogues.turns import SEARCH, Message, kind_of, parse_json
from ..errors import DataError
from ..files import check_file
from .archives import is_archive, read_members
from .member_names import pick_members

HOTEL = "酒店"
TALK = "General"
ROLES = {"usr": "user", "sys": "assistant"}
STATES = ("sys_state_init", "sys_state")
"""The query at the beginning of the system's turn, and at its end."""
NEAR = "周边"
"""How the slots of what lies near a hotel begin."""
ABOUT, GENERAL, OTHER = "about hotels", "general", "about other things"


@dataclass(frozen=True)
class Converted:
    """A run of exchanges about hotels: its dialogue, its number there from 1, and its messages."""

    dialogue_id: str
    run: int
    messages: list[Message]


def read_crosswoz(path: Path) -> dict[str, Any]:
    """Read a file of dialogues by id, .json or a zip of one. Raises DataError where it is anything else."""
    check_file(path)
    data = _only_member(path) if is_archive(path.name) else path.read_bytes()
    try:
        dialogues = parse_json(data.decode("utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: byte {error.start} is not UTF-8; take the file as CrossWOZ gives it") from None
    if not isinstance(dialogues, dict):
        raise DataError(f"{path.name} is {kind_of(dialogues)}; CrossWOZ's files hold an object of dialogues by id")
    return dialogues


def convert(dialogues: Mapping[str, Any], hotels: Hotels) -> tuple[list[Converted], Counter[str]]:
    """Cut dialogues into runs about hotels; next to them how many messages of the file met which fate.

    The fates sum to the messages given: those of the runs less the calls and results that are put in, and those that
    were dropped. Raises DataError naming the dialogue and message that are not as CrossWOZ has them.
    """
    converted: list[Converted] = []
    fates: Counter[str] = Counter()
    for name, dialogue in dialogues.items():
        exchanges = _exchanges(name, dialogue)
        for number, run in enumerate(_runs(exchanges, fates), 1):
            try:
                converted.append(Converted(name, number, _converse(run, hotels)))
            except DataError as error:
                raise DataError(f"dialogue {name}: {error}") from None
    return converted, fates


def has_hotel_act(message: Mapping[str, Any]) -> bool:
    """Whether a message of the file carries an act of the hotel domain."""
    return any(act[1] == HOTEL for act in message["dialog_act"])


def _only_member(path: Path) -> bytes:
    """The bytes of the one JSON file in an archive; what a Mac puts next to it is passed over."""
    held = {member.name: b"".join(member.blocks()) for member in read_members(path) if not _hidden(member.name)}
    name = pick_members(path, list(held), None, list(held))[0]
    return held[name]


def _hidden(name: str) -> bool:
    return name.startswith(("__MACOSX/", "."))


def _exchanges(name: str, dialogue: Any) -> list[tuple[Any, Any]]:
    """Pairs of a user's message and the system's, checked."""
    messages = dialogue.get("messages") if isinstance(dialogue, dict) else None
    if not isinstance(messages, list) or len(messages) % 2:
        raise DataError(f"dialogue {name}: `messages` must be a list of pairs, user and system")
    for number, message in enumerate(messages):
        role = tuple(ROLES)[number % 2]
        needed = ("content", "dialog_act", *(STATES if role == "sys" else ()))
        if not isinstance(message, dict) or message.get("role") != role or any(key not in message for key in needed):
            raise DataError(
                f"dialogue {name}, message {number + 1}: it must be of role {role} with {', '.join(needed)}"
            )
    return list(zip(messages[::2], messages[1::2], strict=True))


def _runs(exchanges: list[tuple[Any, Any]], fates: Counter[str]) -> list[list[tuple[Any, Any]]]:
    """The runs of a dialogue; counts every message's fate."""
    runs: list[list[tuple[Any, Any]]] = []
    inside = False
    for exchange in exchanges:
        what = _about(exchange)
        if what == ABOUT and not inside:
            runs.append([])
        inside = what == ABOUT or (inside and what == GENERAL)
        if inside:
            runs[-1].append(exchange)
        fates[f"{'kept' if inside else 'dropped'}: {what}"] += len(exchange)
    return runs


def _about(exchange: tuple[Any, Any]) -> str:
    if any(map(has_hotel_act, exchange)):
        return ABOUT
    return GENERAL if all(act[0] == TALK for message in exchange for act in message["dialog_act"]) else OTHER


def _converse(run: list[tuple[Any, Any]], hotels: Hotels) -> list[Message]:
    """The messages of a run, searches put in."""
    messages: list[Message] = []
    searched: dict[str, Any] = {}
    for asked, answered in run:
        messages.append({"role": ROLES["usr"], "content": asked["content"]})
        picked = [name for state in STATES for name in answered[state][HOTEL]["selectedResults"]]
        for arguments in (_arguments(answered[state][HOTEL]) for state in STATES):
            if arguments and arguments != searched:
                messages += _search(arguments, hotels, picked)
                searched = arguments
        reply: Message = {"role": ROLES["sys"], "content": answered["content"]}
        messages.append(reply if _on_record(answered) else reply | {"weight": 0})
    return messages


def _on_record(answered: Mapping[str, Any]) -> bool:
    """Whether hotel records can hold what the system's message says."""
    acts = [act for act in answered["dialog_act"] if act[0] != TALK]
    return all(act[1] == HOTEL and not act[2].startswith(NEAR) for act in acts)


def _arguments(state: Mapping[str, Any]) -> dict[str, Any]:
    """The constraints of a query that the tool knows, in the order of SLOTS; slips of the pen at their ends go."""
    named = {FROM_CHINESE[name]: value.strip(" 、】") for name, value in state.items() if name in FROM_CHINESE}
    asked = {slot: named[slot] for slot in SLOTS if named.get(slot)}
    return asked | {"facilities": asked["facilities"].split()} if "facilities" in asked else asked


def _search(arguments: dict[str, Any], hotels: Hotels, picked: list[str]) -> list[Message]:
    """A call and its result."""
    matching = sorted(hotels.matching(arguments), key=lambda hotel: hotel["name"] not in picked)
    shown = matching[: max(LIMIT, sum(hotel["name"] in picked for hotel in matching))]
    records = json.dumps(shown, ensure_ascii=False)
    call = {"type": "function", "function": {"name": SEARCH, "arguments": arguments}}
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": records, "name": SEARCH},
    ]
