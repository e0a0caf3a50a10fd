"""Commits of Temper -> tests/registered/*.tar.xz: a model of each kind, registered by the code of that commit.

  .venv/bin/python tests/build_registered.py [ARCHIVE …]

An archive holds, per kind, the logged model's folder, the files of its run that a later challenger reads, the tags of
its version, and inputs with the predictions that the model gave. Nothing of it names a place on this machine.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import registered_recipes

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "registered"
BUILT = {
    "models.tar.xz": ("3957614", registered_recipes.KINDS),
    "newer_kinds.tar.xz": ("c03c150", registered_recipes.NEWER),
}
"""Per archive the commit and the models: the last commit before the modules moved to one folder per kind, and one after
kinds and contents had come that the first does not have."""
KEPT = re.compile(r"report\.json|rows/.*|predictions/.*|decisions/.*|\d-evaluate/samples\.json")
"""Files of a run that are read when a challenger is judged or a version is promoted by hand."""
PLACE = "/home/builder"
"""Stands for every folder of the machine in what is kept."""


def build(name: str) -> None:
    """Train and register with the code of an archive's commit; write the archive."""
    commit, _ = BUILT[name]
    with tempfile.TemporaryDirectory() as scratch:
        tree, made = Path(scratch) / "tree", Path(scratch) / "registered"
        tree.mkdir()
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(tree)], input=packed.stdout, check=True)
        home = Path(scratch) / "home"
        home.mkdir()
        quiet = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TEMPER_"))}
        own = {
            "PYTHONPATH": str(tree),
            "TEMPER_HOME": str(home),
            "TEMPER_DATA": str(home / "data"),
            "HOME": str(home),
            "HF_HUB_OFFLINE": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, __file__, "--inside", name, str(tree), str(made)]
        subprocess.run(command, cwd=home, env=quiet | own, check=True)
        _forget_places(made, scratch)
        FOLDER.mkdir(exist_ok=True)
        with tarfile.open(FOLDER / name, "w:xz", preset=9) as file:
            for path in sorted(made.rglob("*")):
                file.add(path, str(path.relative_to(made)), recursive=False, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _forget_places(folder: Path, scratch: str) -> None:
    """Replace this machine's paths. Raises ValueError where one is left."""
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        data = path.read_bytes()
        if path.suffix in (".json", ".yaml", "") and scratch.encode() in data:
            path.write_bytes(data := data.replace(scratch.encode(), PLACE.encode()))
        for place in (scratch, str(ROOT), sys.prefix):
            if place.encode() in data:
                raise ValueError(f"{path.relative_to(folder)} names {place}")


def extract(folder: Path) -> Path:
    """The content of all archives, in `folder`: a folder for each model."""
    for name in BUILT:
        with tarfile.open(FOLDER / name) as file:
            file.extractall(folder, filter="data")
    return folder


def inside(recipes: Collection[str], tree: Path, folder: Path) -> None:
    """Run recipes with the code of `tree` (on PYTHONPATH) and keep what became of them."""
    import mlflow

    load_recipe = _module("configs", "load").load_recipe
    spine = "spine" if (tree / "flows" / "spine.py").exists() else "stage_graph"
    perform_until = _module("flows", spine).perform_until
    _register = _module("tasks", "register")._register
    models, runs = _module("tasks", "tracking", "models"), _module("tasks", "tracking", "runs")
    if not Path(models.__file__).is_relative_to(tree):
        raise ValueError(f"Temper was imported from {models.__file__}, not from {tree}")
    for kind in recipes:
        recipe = load_recipe(registered_recipes.write_recipe(kind, Path.cwd(), 1))
        stages = {name: outcome.result for name, outcome in perform_until(recipe, "evaluate").items()}
        facts = json.loads(stages["evaluate"].file("report.json").read_text(encoding="utf-8"))
        state = _register({}, recipe.register, stages["train"], stages["evaluate"], facts)
        version = runs.client().get_model_version(kind, state["version"])
        place = folder / kind
        models.connect()
        mlflow.artifacts.download_artifacts(f"models:/{kind}/{version.version}", dst_path=str(place / "model"))
        for pycache in list(place.rglob("__pycache__")):
            shutil.rmtree(pycache)
        root = Path(str(runs.client().get_run(version.run_id).info.artifact_uri).removeprefix("file://"))
        for path in root.rglob("*"):
            if path.is_file() and KEPT.fullmatch(name := path.relative_to(root).as_posix()):
                (place / "run" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place / "run" / name)
        _write(
            place / "version.json",
            {
                "tags": version.tags,
                "description": version.description,
                "run_tags": _own(runs.client().get_run(version.run_id).data.tags),
            },
        )
        given = inputs(kind)
        predicted = predict(mlflow.pyfunc.load_model(str(place / "model")), kind, given)
        _write(place / "predicted.json", {"given": given, "predictions": predicted})
        print(kind, state["verdict"], flush=True)


def _module(*names: str) -> Any:
    """A module where that commit has it, whatever it is called by now."""
    return import_module(".".join(names))


def _own(tags: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name.startswith("temper.")}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def inputs(kind: str) -> list[Any]:
    """What the kept predictions are of, as JSON has it."""
    if kind == "image":
        images = sorted((Path.cwd() / "data" / "images-1").rglob("*.png"))[:4]
        return [base64.b64encode(path.read_bytes()).decode() for path in images]
    if kind in ("dialogue", "preference"):
        return [[{"role": "user", "content": "the tram number 7 was late; where can I sleep?"}]]
    texts = ["the tram number 7 was late", "the ship number 8 was full", ""]
    if kind in registered_recipes.PAIRED:
        return [{"text": text, "text_pair": "a tram was delayed"} for text in texts if text]
    return ["the [MASK] number 7 was late"] if kind == "masked" else texts


def predict(model: Any, kind: str, given: Any) -> list[Any]:
    """A loaded model's predictions, as JSON has them; of a dialogue its completion's choices."""
    if kind in ("dialogue", "preference"):
        asked = [{"messages": messages, "max_tokens": 12} for messages in given]
        return [model.predict(request)["choices"] for request in asked]
    if kind == "image":
        given = pd.DataFrame({"image": [base64.b64decode(data) for data in given]})
    elif kind in registered_recipes.PAIRED:
        given = pd.DataFrame(given)
    return json.loads(model.predict(given).to_json(orient="records", double_precision=15))  # type: ignore[no-any-return]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(BUILT[sys.argv[2]][1], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        for archive in sys.argv[1:] or BUILT:
            build(archive)
