"""CrossWOZ's dialogues about hotels through the template of every family: the certificate holds on each, and what
inference is given is what was trained."""

from pathlib import Path

import pytest
from chat_families import FAMILIES
from sampled import sampled
from test_dialogue import certificate_of, encoding_of, mismatches

from configs.sources import CrosswozSource
from tasks.data.dialogues.messages import Message, load_messages
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source

NAMES = list(FAMILIES)
DIALOGUES = 915


@pytest.fixture(scope="module")
def every(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[Message]]:
    """All of them, as encode gets them."""
    place = datasets / "crosswoz"
    train, test, hotels = (str(place / name) for name in ("val.json.zip", "test.json.zip", "hotel_db.json"))
    source = CrosswozSource(kind="crosswoz", train=train, test=test, hotels=hotels)
    rows = read_source(source, Intake(tmp_path_factory.mktemp("crosswoz")))
    assert len(rows) == DIALOGUES
    return [load_messages(text) for text in rows["messages"]]


def certify(name: str, dialogues: list[list[Message]]) -> None:
    encoding = encoding_of(name, max_length=10**6, system="You find hotels.")  # Phi writes tools beside it alone
    result = certificate_of(name, encoding, dialogues)
    result.require("every dialogue")
    due = sum(len(encoding.trained_turns(dialogue)) for dialogue in dialogues)
    assert (result.turns, result.lost, result.turns_removed) == (due, 0, 0) and result.calls > 0
    assert mismatches(name, encoding, dialogues) == 0


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sampled(NAMES, *NAMES[:2]))
def test_a_ninth_of_the_dialogues_in_each_family(name: str, every: list[list[Message]]) -> None:
    """Each dialogue in one family."""
    certify(name, every[NAMES.index(name) :: len(NAMES)])


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_all_dialogues_in_each_family(name: str, every: list[list[Message]]) -> None:
    certify(name, every)
