"""The Schema-Guided Dialogue data set in; runs of one service as messages, with its calls and results, out.

Which turns stay. An exchange is a user's turn and the system's answer; it belongs to the service of the system's frame.
A run is all exchanges in a row that belong to one service. Runs of services that no schema file describes are dropped.

Which runs are dropped next to these: those with a call of which an argument is stated by no act and in no result of the
run before it. It comes from a part of the dialogue about another service, so nothing in the row says
it, and a model trained on it would learn to invent.

A result keeps its first records only: systems offer the first, and on request the next ones.

The parts number their dialogues alike, so the group of a row names the part too.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

import pandas as pd

from configs.settings import settings
from configs.sources import Part, SgdSource

from ..dialogues.messages import dump_messages, read_messages
from ..dialogues.nearest_replies import nearest_pairs
from ..dialogues.turns import Message
from ..errors import DataError
from ..files import find_files
from .provenance import Intake, recipe_name
from .sgd_files import Service, need, read_dialogues, read_services

SPEAKERS = ("USER", "SYSTEM")
COLUMNS = ("messages", "group", "service")
KEPT, OTHER, CARRIED = "kept", "dropped: of a service without a schema", "dropped: an argument from another service"


@dataclass(frozen=True)
class Exchange:
    """A user's turn and the system's, with the service of the latter's frame and the place of both."""

    user: Any
    system: Any
    service: str
    place: str

    @property
    def frame(self) -> Any:
        """The system's frame."""
        return self.system["frames"][0]


def read_sgd(source: SgdSource, intake: Intake) -> pd.DataFrame:
    """Runs of the services that the schema files describe, a row each; runs of one dialogue are a group.

    Columns messages, group, split and service. What is dropped is counted in notes. Raises DataError.
    """
    services = read_services(_used(source.schemas, intake))
    parts: dict[Part, Any] = {"train": source.train, "validation": source.validation, "test": source.test}
    given = {split: paths for split, paths in parts.items() if paths is not None}
    fates, cut, tables = Counter[str](), Counter[str](), []
    for split, paths in given.items():
        dialogues = chain.from_iterable(map(read_dialogues, _used(paths, intake)))
        runs = pd.DataFrame(_rows(dialogues, services, source.records, fates, cut), columns=[*COLUMNS])
        table = runs.assign(group=f"{split} " + runs["group"].astype("str"), split=split)  # parts number alike
        sampled = _sampled(table, split, source.sample, intake)
        tables.append(nearest_pairs(sampled) if source.pairs else sampled)
    flat = [name for paths in given.values() for name in ([paths] if isinstance(paths, str) else paths)]
    intake.where = "SGD: " + ", ".join(recipe_name(settings().source(name)) for name in flat)
    intake.note(
        "runs (exchanges): "
        + ", ".join(f"{fate} {fates[fate]:,} ({fates[f'{fate} exchanges']:,})" for fate in (KEPT, OTHER, CARRIED))
    )
    intake.note(f"records of results: kept {cut['kept']:,}, dropped {cut['dropped']:,}")
    names = (*COLUMNS, "split", *(["rejected"] if source.pairs else []))
    return pd.concat(tables, ignore_index=True).astype(dict.fromkeys(names, "str"))


def _sampled(table: pd.DataFrame, split: Part, sample: Mapping[Part, int], intake: Intake) -> pd.DataFrame:
    """The runs of so many dialogues of a part as the recipe asks for, those with the smallest hashes of their ids."""
    if split not in sample:
        return table
    names = sorted(set(table["group"]), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    kept = table[table["group"].isin(names[: sample[split]])]
    intake.note(
        f"sample of {split}: {len(kept):,} of {len(table):,} runs, those of "
        f"{min(sample[split], len(names)):,} of {len(names):,} dialogues"
    )
    return kept


def _used(paths: Any, intake: Intake) -> list[Any]:
    paths_found = find_files(paths)
    for path in paths_found:
        intake.used(path)
    return paths_found


def _rows(
    dialogues: Iterable[tuple[str, Any]],
    services: Mapping[str, Service],
    records: int,
    fates: Counter[str],
    cut: Counter[str],
) -> list[tuple[str, str, str]]:
    """Messages, dialogue and service of each run that is kept; every run is counted."""
    rows = []
    for place, dialogue in dialogues:
        name = need(dialogue, "dialogue_id", str, place)
        for service, exchanges in groupby(_exchanges(dialogue, place), key=lambda exchange: exchange.service):
            run = list(exchanges)
            fate = OTHER if service not in services else CARRIED if _carries(run, services[service]) else KEPT
            fates.update({fate: 1, f"{fate} exchanges": len(run)})
            if fate == KEPT:
                messages = read_messages(_converse(run, records, cut), tools=services[service].tools)
                rows.append((dump_messages(messages), name, service))
    return rows


def _exchanges(dialogue: Any, place: str) -> list[Exchange]:
    """The pairs of turns of a dialogue, checked."""
    turns = need(dialogue, "turns", list, place)
    for number, turn in enumerate(turns, 1):
        speaker, inside = SPEAKERS[(number - 1) % 2], f"{place}, turn {number}"
        if need(turn, "speaker", str, inside) != speaker:
            raise DataError(
                f"{inside}: the speaker is {turn['speaker']}; users and the system take turns, so it must be {speaker}"
            )
        need(turn, "utterance", str, inside)
        for frame in need(turn, "frames", list, inside):
            need(frame, "service", str, inside)
            for act in need(frame, "actions", list, inside):
                for key, kind in (("slot", str), ("values", list)):
                    need(act, key, kind, inside)
        if speaker == "SYSTEM" and len(turn["frames"]) != 1:
            raise DataError(f"{inside}: {len(turn['frames'])} frames; the system speaks for one service at a time")
    if len(turns) % 2:
        raise DataError(f"{place}: {len(turns)} turns; the system's answer to the last one is missing")
    return [
        Exchange(user, system, system["frames"][0]["service"], f"{place}, turn {2 * number}")
        for number, (user, system) in enumerate(zip(turns[::2], turns[1::2], strict=True), 1)
    ]


def _carries(run: list[Exchange], service: Service) -> bool:
    """Whether an argument of a call is stated nowhere in the run before it. Raises DataError for what is no call."""
    stated: dict[str, set[Any]] = defaultdict(set)
    carries = False
    for exchange in run:
        for frame in exchange.user["frames"]:
            if frame["service"] == exchange.service:
                _state(stated, frame["actions"])
        if "service_call" in exchange.frame:
            for slot, value in _arguments(exchange, service).items():
                carries = carries or value not in stated[slot]
            for record in _results(exchange):
                for slot, value in record.items():
                    stated[slot].add(value)
        _state(stated, exchange.frame["actions"])
    return carries


def _state(stated: dict[str, set[Any]], acts: list[Any]) -> None:
    for act in acts:
        stated[act["slot"]].update(act["values"], act.get("canonical_values", ()))


def _arguments(exchange: Exchange, service: Service) -> dict[str, Any]:
    """The arguments of a system turn's call, checked against the schema."""
    call = need(exchange.frame, "service_call", dict, exchange.place)
    method = need(call, "method", str, exchange.place)
    arguments: dict[str, Any] = need(call, "parameters", dict, exchange.place)
    if method not in service.slots:
        raise DataError(
            f"{exchange.place}: {method} is no intent of {exchange.service}, which has {', '.join(service.slots)}; "
            "name the schema file of this part"
        )
    slots = service.slots[method]
    if odd := [slot for slot in arguments if slot not in slots]:
        raise DataError(
            f"{exchange.place}: {method} has no slot {odd[0]!r}, only {', '.join(sorted(slots))}; "
            "name the schema file of this part"
        )
    return arguments


def _results(exchange: Exchange) -> list[Any]:
    records: list[Any] = need(exchange.frame, "service_results", list, exchange.place)
    if odd := [record for record in records if not isinstance(record, dict)]:
        raise DataError(
            f"{exchange.place}: a record of service_results is {type(odd[0]).__name__}; it must be an object"
        )
    return records


def _converse(run: list[Exchange], records: int, cut: Counter[str]) -> list[Message]:
    """The messages of a run: before the system's words its call and the first records of the result."""
    messages: list[Message] = []
    for exchange in run:
        messages.append({"role": "user", "content": exchange.user["utterance"]})
        if "service_call" in exchange.frame:
            called, results = exchange.frame["service_call"], exchange.frame["service_results"]
            call = {"type": "function", "function": {"name": called["method"], "arguments": called["parameters"]}}
            result = json.dumps(results[:records], ensure_ascii=False)
            messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
            messages.append({"role": "tool", "content": result, "name": called["method"]})
            cut.update(kept=len(results[:records]), dropped=len(results[records:]))
        messages.append({"role": "assistant", "content": exchange.system["utterance"]})
    return messages
