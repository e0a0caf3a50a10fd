"""Seconds of the commands that a person waits for, warm: `python tests/bench_cli.py`. Nothing else should run."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
RECIPE = "configs/reviews_demo.yaml"
ROUNDS = 5


def timed(command: list[str], env: dict[str, str], code: int = 0) -> float:
    began = time.perf_counter()
    done = subprocess.run([BIN / command[0], *command[1:]], env=env, cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == code, done.stderr.decode()
    return time.perf_counter() - began


def show(what: str, goal: float, command: list[str], env: dict[str, str], code: int = 0) -> None:
    timed(command, env, code)
    seconds = [timed(command, env, code) for _ in range(ROUNDS)]
    print(
        f"{what:<44} median {statistics.median(seconds):6.2f} s  "
        f"({min(seconds):.2f} to {max(seconds):.2f}; goal {goal} s)",
        flush=True,
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "TEMPER_HOME": home, "PREFECT_HOME": f"{home}/prefect", "DO_NOT_TRACK": "true"}
        env.pop("PREFECT_API_URL", None)
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        first = timed(["temper", "run", RECIPE], env)
        print(f"{os.cpu_count()} cores, {ROUNDS} rounds after a warm-up; first full demo run {first:.1f} s")
        show("temper --help", 0.7, ["temper", "--help"], env)
        show("temper run (a wrong recipe)", 2, ["temper", "run", RECIPE, "train.epoch=3"], env, 2)
        show("temper plan (all cached)", 1.5, ["temper", "plan", RECIPE], env)
        show("temper run (all cached, no Prefect server)", 15, ["temper", "run", RECIPE], env)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        start = [BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
        server = subprocess.Popen(start, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}/api"
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.2)
            show(
                "temper run (all cached, running server)", 6, ["temper", "run", RECIPE], {**env, "PREFECT_API_URL": url}
            )
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
