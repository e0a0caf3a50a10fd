"""F1, F2, F5, F7: processes killed at any moment, four at one key, and long random histories of one store.

Run as a script, this file is the process that forks the stages to be killed (`serve`).
"""

import fcntl
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tasks import cached
from tasks.artifact import MANIFEST, Artifact, content_digest, describe_files
from tasks.output import Output
from tasks.store import disk

pytestmark = pytest.mark.faults

SEED = 20261121


@dataclass(frozen=True)
class Dose:
    """A section."""

    value: int


def blend(out: Output, section: Dose) -> None:
    """Write a dozen files, some through a temporary name, and count the run."""
    note("begin")
    random = Random(section.value)
    for number in range(12):
        aside = out.data / f"tmp-{os.getpid()}-{number}"
        aside.write_bytes(random.randbytes(40_000))
        (out.data / f"part{number % 3}").mkdir(exist_ok=True)
        aside.rename(out.data / f"part{number % 3}" / f"{number}.bin")
        time.sleep(float(os.environ.get("SLOW", "0.001")))
    out.summary(f"# {section.value}")
    note("end")


def note(word: str) -> None:
    with open(os.environ["RUNS"], "a") as runs:
        runs.write(f"{word}\n")


blend.__module__ = "tasks.data.rows"
BLEND = cached.cached_task()(blend)


# The process that forks -------------------------------------------------------------------------------------------


def serve() -> None:
    """Per line of input {values, after, crash, broken}: fork a child per value, kill it or let it kill itself.

    Each child prints [digest, status]; then their exit codes are printed.
    """
    BLEND.identify(Dose(0), {}, ask=True)  # the import graph is read once, here
    for line in sys.stdin:
        order = json.loads(line)
        children = [fork(value, order) for value in order["values"]]
        if order["after"] is not None:
            time.sleep(order["after"])
            for child in children:
                os.kill(child, signal.SIGKILL)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps({"codes": codes}), flush=True)


def fork(value: int, order: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        if order["crash"] is not None:
            crash_before(order["crash"])
        if order["broken"] == "no partial":
            disk.partial_path = lambda root, stage, key: root / stage / key
        if order["broken"] == "no lock":
            cached.locked = lambda path, **how: nullcontext()  # type: ignore[assignment]
        outcome = BLEND.run_or_load(Dose(value), {})
        os.write(1, json.dumps([outcome.result.digest, outcome.status]).encode() + b"\n")
        os._exit(0)
    except BaseException:
        if order["broken"] is None:
            traceback.print_exc()
        os._exit(1)


def crash_before(number: int) -> None:
    """Die before the nth fsync or rename."""
    count = itertools.count()

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if next(count) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return step

    os.fsync, os.rename, os.replace = dying(os.fsync), dying(os.rename), dying(os.replace)


class Forker:
    """The other side of `serve`."""

    def __init__(self, process: subprocess.Popen[str], root: Path, runs: Path) -> None:
        self.process, self.root, self.runs = process, root, runs

    def run(
        self, *values: int, after: float | None = None, crash: int | None = None, broken: str | None = None
    ) -> tuple[list[Any], list[int]]:
        """What the children returned, and how they ended."""
        assert self.process.stdin is not None and self.process.stdout is not None
        order = {"values": values, "after": after, "crash": crash, "broken": broken}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answers = []
        for line in self.process.stdout:
            answer = json.loads(line)
            if isinstance(answer, dict):
                return answers, answer["codes"]
            answers.append(answer)
        raise AssertionError("the forking process died")

    def torn(self) -> list[str]:
        """Visible artifacts that fail their manifest."""
        found = []
        for path in (self.root / "blend").iterdir():
            if not path.suffix:
                try:
                    disk.find(self.root, "blend", path.name, verify=True)
                except ValueError as damage:
                    found.append(f"{path.name}: {damage}")
        return found

    def count(self) -> int:
        """How often a body was entered."""
        return self.runs.read_text().count("begin")

    def at_once(self) -> int:
        """How many bodies were at work at a time."""
        steps = [1 if word == "begin" else -1 for word in self.runs.read_text().split()]
        return max(itertools.accumulate(steps))


def start(tmp_path: Path, **environment: str) -> Iterator[Forker]:
    """A forking process with a store of its own."""
    runs, home = tmp_path / "runs", tmp_path / "killed"
    runs.write_text("")
    variables = {**os.environ, "TEMPER_HOME": str(home), "RUNS": str(runs), **environment}
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables
    ) as process:
        yield Forker(process, home / ".artifacts", runs)


@pytest.fixture
def forker(tmp_path: Path) -> Iterator[Forker]:
    yield from start(tmp_path)


@pytest.fixture
def slow_forker(tmp_path: Path) -> Iterator[Forker]:
    """Its bodies take most of a second."""
    yield from start(tmp_path, SLOW="0.05")


# F1, F2 --------------------------------------------------------------------------------------------------------------


def clean_digest(forker: Forker, value: int) -> str:
    """What an undisturbed run gives, and its artifact removed again."""
    [(digest, status)], codes = forker.run(value)
    assert (status, codes) == ("run", [0])
    shutil.rmtree(forker.root / "blend")
    return str(digest)


@pytest.mark.faults
@pytest.mark.parametrize("rounds", [15, pytest.param(40, marks=pytest.mark.long)])
def test_a_stage_killed_at_any_time_leaves_nothing_torn_and_the_next_run_completes(rounds: int, forker: Forker) -> None:
    random = Random(SEED)
    clean_digest(forker, 0)
    began = time.monotonic()
    digests = {value: clean_digest(forker, value) for value in range(rounds)}
    usual = (time.monotonic() - began) / rounds
    killed, partials = 0, 0
    for value in range(rounds):
        _, codes = forker.run(value, after=random.uniform(0, 1.3) * usual)
        killed += codes == [-signal.SIGKILL]
        left = {path.suffix for path in (forker.root / "blend").glob("*")}
        partials += ".partial" in left
        if left:
            assert forker.torn() == []
        [(digest, status)], codes = forker.run(value)
        assert codes == [0] and digest == digests[value]
        assert status == ("cached" if "" in left else "run")
        assert forker.torn() == []
        shutil.rmtree(forker.root / "blend")
    assert killed >= rounds / 8 and partials >= rounds / 15, (
        f"of {rounds} only {killed} were killed, {partials} in mid-write"
    )


@pytest.mark.faults
def test_a_stage_killed_before_any_fsync_or_rename_leaves_nothing_torn(forker: Forker) -> None:
    """The named crash points: the body's twelve renames, then every step of the commit."""
    digest, points, visible = clean_digest(forker, 7), 0, 0
    for at in itertools.count():
        answers, codes = forker.run(7, crash=at)
        if codes == [0]:
            break
        assert codes == [-signal.SIGKILL] and answers == []
        points += 1
        whole = [path for path in (forker.root / "blend").iterdir() if not path.suffix]
        visible += len(whole)
        assert forker.torn() == []
        assert forker.run(7) == ([[digest, "cached" if whole else "run"]], [0])
        shutil.rmtree(forker.root / "blend")
    files, folders = 13, 5
    assert points == 12 + files + folders + 2 + 1 + 1 + 1  # the manifest, its folder, the rename and its parent
    assert visible == 1, "only the last point, before the parent's fsync, comes after the rename"


def test_a_store_without_partials_is_seen_to_tear(forker: Forker) -> None:
    """The planted fault: written in place, an artifact is visible before it is whole, and the check says so."""
    torn = 0
    for at in range(0, 36, 6):
        _, codes = forker.run(7, crash=at, broken="no partial")
        assert codes == [-signal.SIGKILL]
        torn += len(forker.torn())
        shutil.rmtree(forker.root / "blend")
    assert torn >= 5


# F7 ------------------------------------------------------------------------------------------------------------------


def test_of_four_processes_at_one_key_one_computes(slow_forker: Forker) -> None:
    answers, codes = slow_forker.run(1, 1, 1, 1)
    assert codes == [0] * 4 and slow_forker.count() == slow_forker.at_once() == 1
    assert len({digest for digest, _ in answers}) == 1
    assert sorted(status for _, status in answers) == ["cached", "cached", "cached", "run"]
    assert slow_forker.torn() == []


def test_four_processes_at_four_keys_do_not_wait_for_one_another(slow_forker: Forker) -> None:
    answers, codes = slow_forker.run(1, 2, 3, 4)
    assert codes == [0] * 4 and slow_forker.count() == 4 and slow_forker.at_once() > 1
    assert len({digest for digest, _ in answers}) == 4


def test_without_the_lock_several_compute(slow_forker: Forker) -> None:
    """The planted fault: what the check above would see."""
    slow_forker.run(1, 1, 1, 1, broken="no lock")
    assert slow_forker.count() > 1


def test_when_the_one_that_computes_is_killed_another_goes_on(slow_forker: Forker) -> None:
    slow_forker.run(1, after=0.3)
    lock = next((slow_forker.root / "blend").glob("*.lock"))
    with lock.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    answers, codes = slow_forker.run(1, 1)
    assert codes == [0, 0] and slow_forker.count() == 2
    assert sorted(status for _, status in answers) == ["cached", "run"]


# F5 ------------------------------------------------------------------------------------------------------------------

RAN: list[str] = []
COUNTS: Counter[str] = Counter()


@dataclass(frozen=True)
class Grown:
    """A section with a default."""

    amount: int = 2
    shade: str = "green"


def grow(out: Output, section: Grown) -> None:
    """`half.txt` is the same for two amounts; `full.txt` is not."""
    RAN.append("grow")
    (out.data / "half.txt").write_text(f"{section.amount // 2} {section.shade}")
    (out.data / "full.txt").write_text(f"{section.amount} {section.shade}")
    out.summary(f"# {section.amount}")


def press(out: Output, section: Grown, grown: Artifact) -> None:
    RAN.append("press")
    (out.data / "pressed.txt").write_text(grown.file("half.txt").read_text() * section.amount)


def fresh(section: Grown, press_section: Grown) -> tuple[bytes, bytes, bytes]:
    """Both stages' outputs, computed without a store."""
    half, full = f"{section.amount // 2} {section.shade}", f"{section.amount} {section.shade}"
    return half.encode(), full.encode(), (half * press_section.amount).encode()


MODULES = ("tasks.data.rows", "tasks.data.sources.tables")
"""Two pieces of code that a stage may stand in: to move it from one to the other is to edit its code."""
sections = st.builds(Grown, st.integers(1, 4), st.sampled_from(["green", "red"]))


class History(RuleBasedStateMachine):
    """A store through runs, edits, damage, evictions and kills: hit <=> same inputs, code and manifest."""

    @initialize(one=sections, other=sections)
    def begin(self, one: Grown, other: Grown) -> None:
        self.home = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("TEMPER_HOME", str(self.home))
        self.grow_section, self.press_section = one, other
        self.modules = {"grow": MODULES[0], "press": MODULES[0]}
        self.intact: dict[tuple[Any, ...], Path] = {}
        self.asked: dict[tuple[Any, ...], Grown] = {}

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()
            shutil.rmtree(self.home)

    @rule(section=sections)
    def change_the_first_section(self, section: Grown) -> None:
        self.grow_section = section

    @rule(section=sections)
    def change_the_second_section(self, section: Grown) -> None:
        self.press_section = section

    @rule(name=st.sampled_from(["grow", "press"]), module=st.sampled_from(MODULES))
    def edit_code(self, name: str, module: str) -> None:
        self.modules[name] = module

    @rule()
    def run(self) -> None:
        bodies = {"grow": grow, "press": press}
        for name, module in self.modules.items():
            bodies[name].__module__ = module
        grown = self.perform(cached.cached_task()(grow), self.grow_section, {}, ())
        half, full, pressed = fresh(self.grow_section, self.press_section)
        assert grown.file("half.txt").read_bytes() == half and grown.file("full.txt").read_bytes() == full
        stage = cached.cached_task(opens={"grown": ("half.txt",)})(press)
        made = self.perform(stage, self.press_section, {"grown": grown}, (half,))
        assert made.file("pressed.txt").read_bytes() == pressed
        assert content_digest(describe_files(made.path)) == made.digest

    def perform(
        self, stage: cached.Stage[Any], section: Grown, inputs: dict[str, Artifact], opened: tuple[bytes, ...]
    ) -> Artifact:
        expected = (stage.name, section, self.modules[stage.name], opened)
        RAN.clear()
        outcome = stage.run_or_load(section, inputs)
        assert (outcome.status == "cached") == (expected in self.intact) == (RAN == [])
        COUNTS["hit" if not RAN else "rebuilt" if expected in self.asked else "new"] += 1
        self.asked[expected] = self.grow_section
        assert self.intact.setdefault(expected, outcome.result.path) == outcome.result.path
        return outcome.result

    def lose(self, data: st.DataObject) -> Path:
        """Choose an artifact that is about to be damaged, and go back to the sections and code that ask for it."""
        which = data.draw(st.sampled_from(sorted(self.intact, key=repr)), "artifact")
        stage, section, self.modules[stage], _ = which
        self.grow_section = self.asked[which]
        if stage == "press":
            self.press_section = section
        return self.intact.pop(which)

    @precondition(lambda self: self.intact)
    @rule(data=st.data(), how=st.sampled_from(["flip", "cut", "delete", "add", "swap", "evict", "forget the manifest"]))
    def damage(self, data: st.DataObject, how: str) -> None:
        directory = self.lose(data)
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        path = data.draw(st.sampled_from(files), "file")
        bytes_ = path.read_bytes()
        at = data.draw(st.integers(0, 10_000), "position") % len(bytes_)
        match how:
            case "flip":
                bit = data.draw(st.integers(0, 7), "bit")
                path.write_bytes(bytes_[:at] + bytes([bytes_[at] ^ 1 << bit]) + bytes_[at + 1 :])
            case "cut":
                path.write_bytes(bytes_[:at])
            case "delete":
                path.unlink()
            case "add":
                (directory / "data" / "extra").write_bytes(bytes_)
            case "swap":
                path.write_bytes((directory / MANIFEST).read_bytes() + b" ")
            case "evict":
                shutil.rmtree(directory)
            case "forget the manifest":
                (directory / MANIFEST).unlink()

    @precondition(lambda self: self.intact)
    @rule(data=st.data())
    def exchange(self, data: st.DataObject) -> None:
        """Two artifacts of one stage change places: neither is what its key says."""
        one, other = (data.draw(st.sampled_from(sorted(self.intact, key=repr))) for _ in range(2))
        first, second = self.intact[one], self.intact[other]
        if first.parent == second.parent and first != second:
            first.rename(first.with_name("aside"))
            second.rename(first)
            first.with_name("aside").rename(second)
            del self.intact[one], self.intact[other]

    @precondition(lambda self: self.intact)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        """A killed run's leavings beside an artifact that was lost."""
        directory = self.lose(data)
        partial = directory.with_name(directory.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        directory.rename(partial)
        (partial / "data" / "tmp-77").write_text("half")

    @rule()
    def move(self) -> None:
        moved = Path(tempfile.mkdtemp())
        moved.rmdir()
        self.home.rename(moved)
        self.patch.setenv("TEMPER_HOME", str(moved))
        self.intact = {which: moved / path.relative_to(self.home) for which, path in self.intact.items()}
        self.home = moved

    @invariant()
    def what_is_intact_is_whole(self) -> None:
        for (stage, *_), path in getattr(self, "intact", {}).items():
            assert disk.find(path.parent.parent, stage, path.name) is not None


EXAMPLES = settings(
    max_examples=120,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # twenty steps can be read as they are; shrinking them takes minutes of disk
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.faults
def test_any_history_serves_exactly_what_a_fresh_computation_gives() -> None:
    COUNTS.clear()
    run_state_machine_as_test(History, settings=EXAMPLES)
    assert min(COUNTS["hit"], COUNTS["rebuilt"], COUNTS["new"]) > 50, COUNTS


@pytest.mark.faults
def test_a_store_that_trusts_its_files_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: files are not looked at on a hit, and the history finds it."""
    monkeypatch.setattr(disk, "_check", lambda path, entry, rehash: None)
    with pytest.raises((AssertionError, OSError, ExceptionGroup)):
        run_state_machine_as_test(History, settings=EXAMPLES)


if __name__ == "__main__":
    serve()
