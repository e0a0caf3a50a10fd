"""Of any number of judges on any number of machines, one promotes against a champion; the others judge again."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from tiny import ROOT

from configs.schema import Register
from tasks.store.events import Event, listeners
from tasks.tracking import claims, decisions, evidence, runs
from tasks.tracking.wire_format import DECISION

MACHINE = """
import json, os, signal, sys, warnings
warnings.simplefilter("ignore")
from contextlib import contextmanager
from mlflow import MlflowClient
from tasks.tracking import claims, decisions
claims.DEAD, claims.HOLD, claims.POLL = 3.0, 1.5, 0.02
WRITES = ("create_experiment", "set_registered_model_alias", "delete_registered_model_alias", "log_dict",
          "set_registered_model_tag", "set_model_version_tag", "rename_experiment", "delete_experiment")

class Mortal(MlflowClient):
    left = 0  # writes until this process is killed; 0 for never

    def __getattribute__(self, name):
        if name in WRITES and Mortal.left:
            Mortal.left -= 1
            if not Mortal.left:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__getattribute__(name)

if sys.argv[2] == "unclaimed":
    class Nothing:
        def require(self): pass
    @contextmanager
    def unclaimed(client, model):
        yield Nothing()
    claims.claimed = unclaimed

def judge(model, version):
    def decide():
        known = decisions.champion(client, model)
        before = str(known.version)
        if before == version:  # moved by a judge that was killed before it wrote that down, see evidence.judge
            after, decided = version, "promoted"
        elif int(before) > int(version):
            after, decided = before, "kept"
        else:
            after, decided = version, "promoted"
        made = decisions.Entry("register", version, before=before, after=after, decided=decided, why="stub")
        decisions.apply(client, model, made)
        return [version, decided, before]
    return claims.until_unmoved(decide)

places = json.loads(sys.argv[3])  # of each machine: its home, and the named pipes for what it is told and says
for home, told, says in places[1:]:
    if os.fork() == 0:
        places = [[home, told, says]]
        break
home, told, says = places[0]
os.environ["TEMPER_HOME"] = home
incoming, outgoing = open(told), open(says, "w")
client = Mortal(sys.argv[1], sys.argv[1])
for line in incoming:
    model, version, left = json.loads(line)
    if left:
        child = os.fork()
        if child == 0:
            Mortal.left, client = left, Mortal(sys.argv[1], sys.argv[1])
            judge(model, version)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(json.dumps([version, "killed" if os.WIFSIGNALED(status) else "lived", None]), file=outgoing, flush=True)
    else:
        print(json.dumps(judge(model, version)), file=outgoing, flush=True)
"""


@dataclass
class Machine:
    """A process with a home of its own, which judges versions as it is told."""

    model: str
    incoming: IO[str]
    outgoing: IO[str]

    def start(self, version: str, left: int = 0) -> None:
        self.incoming.write(json.dumps([self.model, version, left]) + "\n")
        self.incoming.flush()

    def outcome(self) -> list[str]:
        line = self.outgoing.readline()
        assert line, "the machine ended"
        outcome: list[str] = json.loads(line)
        return outcome


@dataclass
class Reader:
    """Reads the champion without a pause, as a server would: every one that it saw, and every failure."""

    client: MlflowClient
    model: str
    seen: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        while not self.over.is_set():
            try:
                version = int(self.client.get_model_version_by_alias(self.model, "champion").version)
            except MlflowException as error:
                self.failures.append(str(error))
                continue
            if self.seen[-1:] != [version]:
                self.seen.append(version)
            time.sleep(0.05)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """MLflow's own server on a SQLite file; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    with open(folder / "server.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + 600
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < end, (folder / "server.log").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


@contextmanager
def machines(address: str, folder: Path, mode: str) -> Iterator[list[Machine]]:
    """Two processes that share MLflow and no lock."""
    places = [[str(folder / f"{what} {number}") for what in ("home", "told", "says")] for number in range(2)]
    for _, told, says in places:
        os.mkfifo(told)
        os.mkfifo(says)
    command = [sys.executable, "-c", MACHINE, address, mode, json.dumps(places)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=ROOT)
    try:
        with ExitStack() as pipes:
            yield [
                Machine(mode, pipes.enter_context(open(told, "w")), pipes.enter_context(open(says)))
                for _, told, says in places
            ]
    finally:
        process.wait(300)


def prepare(client: MlflowClient, name: str, versions: int) -> None:
    """A model whose first version is the champion, and challengers."""
    run = client.create_run("0").info
    client.create_registered_model(name)
    for _ in range(versions):
        client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)  # a server takes no other place
    client.set_registered_model_alias(name, "champion", "1")


def race(
    address: str, folder: Path, *, races: int, kills: int, mode: str = "claimed"
) -> tuple[list[decisions.Entry], Reader]:
    """So many times two machines judge a challenger each at one moment, in some of which a judge is killed before one
    of its writes and started again; the decisions, and what a reader saw meanwhile.
    The model is called like the mode."""
    draw = random.Random(7)
    mortal = set(draw.sample(range(races), kills))
    client, reader = MlflowClient(address, address), Reader(MlflowClient(address, address), mode)
    prepare(client, mode, 2 * races + 1)
    thread = threading.Thread(target=reader.read)
    thread.start()
    try:
        with machines(address, folder, mode) as both:
            for number in range(races):
                challengers = [str(2 * number + 2), str(2 * number + 3)]
                draw.shuffle(challengers)
                one_race(both, challengers, draw.randint(1, 8) if number in mortal else 0)
                champion = decisions.champion(client, mode)
                assert champion is not None
                assert mode == "unclaimed" or int(champion.version) == 2 * number + 3, number
    finally:
        reader.over.set()
        thread.join()
    return decisions.entries(client, mode), reader


def one_race(both: list[Machine], challengers: list[str], left: int) -> None:
    both[0].start(challengers[0], left)
    both[1].start(challengers[1])
    outcomes = [machine.outcome() for machine in both]
    if outcomes[0][1] == "killed":  # the next run of the same recipe
        both[0].start(challengers[0])
        both[0].outcome()


def doubled(log: list[decisions.Entry]) -> int:
    """Promotions beyond the first against one champion."""
    against = [one.before for one in log if one.decided == "promoted" and one.after != one.before]
    return len(against) - len(set(against))


def raced(address: str, folder: Path, races: int, kills: int) -> None:
    log, reader = race(address, folder, races=races, kills=kills)
    assert doubled(log) == 0
    promoted = {one.version for one in log if one.decided == "promoted"}
    client = MlflowClient(address, address)
    known = client.search_model_versions("name = 'claimed'")
    assert promoted == {str(one.version) for one in known if one.tags.get(DECISION) == "promoted"}
    assert len(promoted) >= races - kills
    assert client.get_experiment_by_name(claims.name_of("claimed")) is None
    assert not reader.failures and reader.seen == sorted(set(reader.seen))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_machines_race_two_hundred_times_at_one_server(tmp_path: Path) -> None:
    with server(tmp_path) as address:
        raced(address, tmp_path, races=200, kills=40)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_without_the_claim_both_promote_against_one_champion(client: MlflowClient, tmp_path: Path) -> None:
    log, _ = race(client.tracking_uri, tmp_path, races=8, kills=0, mode="unclaimed")
    assert doubled(log) > 0


@pytest.fixture
def client(place: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("TEMPER_HOME", str(place))
    monkeypatch.setattr(claims, "DEAD", 0.3)
    monkeypatch.setattr(claims, "POLL", 0.02)
    return runs.client()


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_of_two_machines_one_promotes_against_a_champion(client: MlflowClient, tmp_path: Path) -> None:
    raced(client.tracking_uri, tmp_path, races=5, kills=1)


def model(client: MlflowClient, name: str, versions: int) -> None:
    client.create_registered_model(name)
    for _ in range(versions):
        client.create_model_version(name, "nowhere")
    client.set_registered_model_alias(name, "champion", "1")


def promote(client: MlflowClient, name: str, version: str, before: str = "1") -> None:
    made = decisions.Entry("register", version, before=before, after=version, decided="promoted", why="better")
    decisions.apply(client, name, made)


@pytest.mark.faults
def test_a_claim_that_its_holder_left_behind_is_taken_over(client: MlflowClient) -> None:
    """Also one that a person deleted in MLflow, whose name is taken for good; and the waiting is reported once."""
    model(client, "left", 3)
    heard: list[Event] = []
    for version, deleted in (("2", False), ("3", True)):
        number = client.create_experiment(claims.name_of("left"), tags={claims.HOLDER: "far:77"})
        if deleted:
            client.delete_experiment(number)
        with listeners(heard.append):
            promote(client, "left", version, str(int(version) - 1))
        assert client.get_experiment(number).lifecycle_stage == "deleted"
    assert [event.text for event in heard] == 2 * ["waiting for far:77, which decides on left"]
    assert client.get_experiment_by_name(claims.name_of("left")) is None
    assert str(client.get_model_version_by_alias("left", "champion").version) == "3"


class Slow(MlflowClient):
    """A client whose process stands still before it moves the alias, until another machine has decided."""

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        if version == "2":
            promote(MlflowClient(self.tracking_uri, self.tracking_uri), name, "3")
        super().set_registered_model_alias(name, alias, version)


@pytest.mark.faults
def test_a_move_that_comes_after_another_machine_decided_is_taken_back(client: MlflowClient) -> None:
    model(client, "late", 3)
    slow = Slow(client.tracking_uri, client.tracking_uri)
    with pytest.raises(claims.ChampionMoved, match="took longer than"):
        promote(slow, "late", "2")
    assert str(client.get_model_version_by_alias("late", "champion").version) == "3"
    assert [(one.version, one.decided) for one in decisions.entries(client, "late")] == [("3", "promoted")]
    assert DECISION not in client.get_model_version("late", "2").tags


@pytest.mark.faults
def test_a_version_is_judged_again_where_the_champion_was_moved(client: MlflowClient) -> None:
    model(client, "again", 3)
    seen: list[str] = []

    def judge() -> str:
        known = decisions.champion(client, "again")
        assert known is not None
        seen.append(str(known.version))
        if len(seen) == 1:  # a person, in MLflow
            client.set_registered_model_alias("again", "champion", "3")
        promote(client, "again", "2", seen[-1])
        return seen[-1]

    heard: list[Event] = []
    with listeners(heard.append):
        assert claims.until_unmoved(judge) == "3"
    assert seen == ["1", "3"] and "is version 3, and was 1 when this was decided" in heard[0].text


SECTION = Register(model="any", thresholds={"accuracy": 0.9})


@pytest.mark.faults
def test_a_champion_that_a_person_moved_in_mlflow_is_the_one_to_beat(client: MlflowClient) -> None:
    model(client, "moved", 3)
    promote(client, "moved", "2")
    client.set_registered_model_alias("moved", "champion", "1")
    heard: list[Event] = []
    with listeners(heard.append):
        verdict, held = evidence.judge(
            client, SECTION, client.get_model_version("moved", "3"), stages={}, facts={"scores": {"accuracy": 0.5}}
        )
    assert held is not None and (verdict.decided, held.champion) == ("kept", "1")
    assert "left version 2 as champion of moved; now it is 1" in heard[0].text


@pytest.mark.faults
@pytest.mark.parametrize("what", ["alias", "version"])
def test_a_champion_that_a_person_deleted_in_mlflow_is_not_replaced_by_a_verdict(
    client: MlflowClient, what: str
) -> None:
    """But where no other version is left, a first champion is what the recipe asks for."""
    name = f"deleted-{what}"
    model(client, name, 3)
    promote(client, name, "2")
    if what == "alias":
        client.delete_registered_model_alias(name, "champion")
    else:
        client.delete_model_version(name, "2")

    def judge() -> str:
        facts = {"scores": {"accuracy": 0.95}}
        return evidence.judge(client, SECTION, client.get_model_version(name, "3"), stages={}, facts=facts)[0].text

    deleted = "its alias" if what == "alias" else "that version"
    assert judge().startswith(f"undecided: version 2 was the champion, and {deleted} was deleted in MLflow; name a")
    for number in ("1", "2") if what == "alias" else ("1",):
        client.delete_model_version(name, number)
    assert judge().startswith("promoted: the first champion")
