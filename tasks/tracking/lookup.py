"""Is this model registered already? Asked of a second process, which loads mlflow while this one loads Prefect."""

import json
import subprocess
import sys
from typing import TypedDict

from configs.environment import loading

from ..documents import Changed

BEFORE = "registered before; then "
"""What stands before the verdict on a model that is found again."""


class Settled(TypedDict):
    """A version as it stands now. aliases: champion first. links: to its pages. undecided_on: digest of the report that
    did not decide, else None."""

    version: str
    run_id: str
    aliases: list[str]
    verdict: str
    test_evaluations: int
    links: dict[str, str]
    changed: Changed | None
    undecided_on: str | None


_CHILD: list[subprocess.Popen[str]] = []


def warm() -> None:
    """Start the process that will answer; it ends with this one, since its input ends."""
    if not _CHILD:
        _CHILD.append(
            subprocess.Popen(
                [sys.executable, "-m", "tasks.tracking.lookup"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )


def cool() -> None:
    """End the process."""
    while _CHILD:
        with _CHILD.pop() as child:
            child.kill()


def registered(name: str, digest: str, scores: dict[str, float], links: dict[str, str]) -> Settled | None:
    """What the registry states about a settled version of this model digest; None where there is none."""
    if _CHILD:
        child = _CHILD[0]
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(json.dumps([name, digest, scores, links]) + "\n")
            child.stdin.flush()
            answer = json.loads(child.stdout.readline())
        except (OSError, ValueError):  # the process died: ask here, where an error has its own words
            cool()
        else:
            settled_facts: Settled | None = answer
            return settled_facts
    from .registry import settled

    return settled(name, digest, scores, links)


def still_valid(settled_facts: Settled | None, report: str) -> Settled | None:
    """What was found, unless its test rows left it undecided and the report (its digest) is of others by now."""
    return None if settled_facts is None or settled_facts["undecided_on"] not in (None, report) else settled_facts


def _serve() -> None:
    with loading():
        from .registry import settled
        from .runs import client

        client()  # its first query takes a second
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(settled(*json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    _serve()
