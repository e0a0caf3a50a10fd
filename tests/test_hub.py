"""Downloads from a Hub on loopback: what is resolved, fetched, verified, resumed, refused and pinned."""

import gzip
import hashlib
import json
import os
import pickle
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import Child, Failed, Hub

from configs.sources import HubSource
from tasks import pins
from tasks.data.sources.image_sets import png
from tasks.data.sources.revisions import Unpinned

pytestmark = pytest.mark.faults

CSV = {
    "train.csv": b"text,label\ngood,1\nbad,0\n",
    "validation.csv": b"text,label\nfine,1\n",
    "test.csv": b"text,label\npoor,0\n",
}
PLACES = ["{url}/stolen.csv", "{folder}/stolen.csv", "../../../../../../../..{folder}/*.csv"]
PLACES += ["file://{folder}/stolen.csv", "a::{url}/stolen.csv", " {url}/stolen.csv"]
USED = (
    "from tasks.data.sources import hub; from source_rows import load_rows; "
    "from tasks import pins; from configs import models, sources\n"
)
USED += "from pathlib import Path\n"
FETCH = USED + "folder = hub.fetch(hub.Snapshot(repo, commit, kind), tuple(patterns or hub.DATA_FILES))\n"
FETCH += "result = {str(p.relative_to(folder)): p.read_bytes().hex() for p in folder.rglob('*') if p.is_file()}"
ROWS = USED + "source = sources.HubSource(kind='hub', repo=repo, revision=commit)\n"
ROWS += "rows = load_rows(source, Path(scratch)).astype(object)\n"
ROWS += "result = rows.where(rows.notna(), None).to_numpy().tolist()"
PIN = USED + "source = sources.HubSource(kind='hub', repo=repo)\n"
PIN += "section, values = pins.pin(source, ask=ask); result = [section.revision, values]"


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def child(server: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = Child(server.url, tmp_path_factory.mktemp("hub"))
    yield child
    child.stop()


@pytest.fixture
def hub(server: Hub) -> Hub:
    server.forget()
    return server


def fetch(child: Child, repo: str, commit: str, patterns: tuple[str, ...] = (), kind: str = "dataset") -> dict:
    found = child.run(FETCH, repo=repo, commit=commit, kind=kind, patterns=patterns)
    return {name: bytes.fromhex(data) for name, data in found.items()}


def resolve(child: Child, repo: str, revision: str = "main", kind: str = "dataset") -> str:
    return child.run(USED + "result = hub.resolve(repo, revision, kind)", repo=repo, revision=revision, kind=kind)


def parquet(**columns: list) -> bytes:
    file = BytesIO()
    pd.DataFrame(columns).to_parquet(file)
    return file.getvalue()


class Canary:
    """Whoever unpickles it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def test_branches_and_tags_become_commits_and_a_commit_needs_no_request(hub: Hub, child: Child) -> None:
    old = hub.add("dataset", "t/named", CSV, branch="v1")
    new = hub.add("dataset", "t/named", {**CSV, "more.csv": b"text,label\nx,1\n"})
    model = hub.add("model", "t/named", {"config.json": b"{}"})
    assert resolve(child, "t/named", "v1") == old
    assert resolve(child, "t/named", "main") == new
    assert resolve(child, "t/named", "main", "model") == model
    hub.forget()
    assert resolve(child, "t/named", old) == old
    assert hub.seen() == []


def test_unknown_names_are_refused_with_what_to_do(hub: Hub, child: Child) -> None:
    hub.add("dataset", "t/known", CSV)
    with pytest.raises(Failed, match=r"DataError: dataset t/unknown@main: not on the Hub.*check the name or log in"):
        resolve(child, "t/unknown")
    with pytest.raises(Failed, match=r"DataError: dataset t/known@v9: the Hub has no such revision; check `revision`"):
        resolve(child, "t/known", "v9")
    with pytest.raises(Failed, match="DataError: model t/known@main: not on the Hub"):
        resolve(child, "t/known", "main", "model")
    with pytest.raises(Failed, match=r"DataError: dataset a--b@main: .*a--b"):
        resolve(child, "a--b")
    assert len(hub.requests) == 3  # what is not there is asked for once
    hub.fault("GET /api", body=lambda data: data.replace(b'"sha": "', b'"sha": "x'))
    with pytest.raises(Failed, match=r"DataError: .* the Hub names no commit"):
        resolve(child, "t/known")
    hub.fault("GET /api", body=lambda data: b"<html>log in to this network</html>")
    with pytest.raises(Failed, match="DataError: dataset t/known@main: "):
        resolve(child, "t/known")


def test_errors_that_pass_are_outlived_and_others_are_not_retried(hub: Hub, child: Child) -> None:
    commit = hub.add("dataset", "t/patient", CSV)
    for fault in ({"status": 500}, {"status": 503}, {"status": 429}, {"hang_up": True}):
        hub.fault("GET /api", **fault)
        assert resolve(child, "t/patient") == commit
    assert len(hub.requests) == 8
    hub.forget()
    hub.fault("GET /api", status=500, times=9)
    with pytest.raises(Failed, match=r"DataError: dataset t/patient@main: .*500"):
        resolve(child, "t/patient")
    assert len(hub.requests) == 4
    hub.forget()
    hub.fault("GET /api", status=403, times=9)
    with pytest.raises(Failed, match=r"DataError: .*403"):
        resolve(child, "t/patient")
    assert len(hub.requests) == 1


def test_fetched_files_are_those_of_the_commit_and_are_fetched_once(hub: Hub, child: Child) -> None:
    files = {**CSV, "README.md": b"# hello\n", "deep/more.jsonl": b'{"text": "a"}\n', "weights.bin": b"\0" * 99}
    old = hub.add("dataset", "t/files", files)
    hub.add("dataset", "t/files", {"train.csv": b"text,label\nchanged,1\n"})
    wanted = {name: data for name, data in files.items() if name != "weights.bin"}
    assert fetch(child, "t/files", old) == wanted
    assert not hub.seen("weights")
    hub.forget()
    assert fetch(child, "t/files", old) == wanted
    assert not hub.seen("resolve")
    with pytest.raises(Failed, match=r"DataError: dataset t/files@.*: no file fits \*\.arrow"):
        fetch(child, "t/files", old, ("*.arrow",))


@pytest.mark.parametrize(
    "route", ["GET /api/.*/revision", "GET /api/.*/tree", "HEAD /", "GET .*/resolve/", "GET /lfs/"]
)
def test_a_download_outlives_a_500_anywhere(hub: Hub, child: Child, route: str) -> None:
    files = {
        "train.csv": CSV["train.csv"] + f"{route},1\n".encode(),
        "test.parquet": parquet(text=["a"], label=[route]),
    }
    commit = hub.add("dataset", "t/flaky", files)
    fault = hub.fault(route, status=500)
    assert fetch(child, "t/flaky", commit) == files
    assert fault.times == 0


def test_an_interrupted_transfer_goes_on_where_it_ended(hub: Hub, child: Child) -> None:
    big = os.urandom(11 * 2**20)  # huggingface_hub writes, and so resumes, in blocks of 10 MiB
    commit = hub.add("dataset", "t/cut", {"big.parquet": big, "small.csv": CSV["train.csv"]})
    hub.fault("GET /lfs/", cut=len(big) - 100)
    hub.fault("GET .*small.csv", cut=5)
    found = fetch(child, "t/cut", commit)
    assert found["big.parquet"] == big
    assert found["small.csv"] == CSV["train.csv"]
    assert hub.seen("GET /lfs/")[1].endswith(f"bytes={10 * 2**20}-")
    assert len(hub.seen("GET .*small.csv")) == 2
    other = os.urandom(11 * 2**20)
    commit = hub.add("dataset", "t/cut", {"big.parquet": other})
    hub.fault("GET /lfs/", cut=len(big) - 100)
    hub.fault("GET /lfs/", ranges=False)  # the whole file comes again
    assert fetch(child, "t/cut", commit)["big.parquet"] == other


@pytest.mark.parametrize(("name", "route"), [("a.parquet", "GET /lfs/"), ("a.csv", r"GET .*/a\.csv")])
def test_other_bytes_than_promised_are_removed_and_fetched_anew(hub: Hub, child: Child, name: str, route: str) -> None:
    data = b"text,label\n" + name.encode() * 50
    repo, commit = "t/wrong", hub.add("dataset", "t/wrong", {name: data, "b.csv": CSV["train.csv"]})
    hub.fault(route, body=lambda data: data[:-1] + b"!")
    with pytest.raises(Failed, match=rf"DataError: dataset t/wrong@{commit[:8]}: {name} has a wrong checksum and was"):
        fetch(child, repo, commit)
    cache = Path(child.home, "hub", "datasets--t--wrong")
    assert not (cache / "snapshots" / commit / name).exists()
    assert all(data[:-1] not in blob.read_bytes() for blob in (cache / "blobs").iterdir())
    hub.forget()
    assert fetch(child, repo, commit)[name] == data
    assert not hub.seen("b.csv")


def test_a_cached_file_that_rots_is_noticed(hub: Hub, child: Child) -> None:
    commit = hub.add("dataset", "t/rot", CSV)
    fetch(child, "t/rot", commit)
    path = Path(child.home, "hub", "datasets--t--rot", "snapshots", commit, "test.csv")
    path.write_bytes(path.read_bytes().replace(b"poor", b"good"))
    with pytest.raises(Failed, match=r"test.csv has a wrong checksum"):
        fetch(child, "t/rot", commit)
    assert fetch(child, "t/rot", commit)["test.csv"] == CSV["test.csv"]


def test_a_shorter_answer_is_never_taken_for_the_file(hub: Hub, child: Child) -> None:
    commit = hub.add("dataset", "t/short", CSV)
    hub.fault("GET .*train.csv", body=lambda data: data[:-5], times=99)
    with pytest.raises(Failed, match=r"DataError: .*should be of size"):
        fetch(child, "t/short", commit)


def test_what_another_tool_left_is_not_taken_for_the_whole(hub: Hub, child: Child) -> None:
    """snapshot_download returns a half-filled folder where the Hub does not answer for its list of files."""
    commit = hub.add("dataset", "t/half", CSV)
    other = "from huggingface_hub import hf_hub_download\n"
    other += "hf_hub_download('t/half', 'test.csv', repo_type='dataset', revision=commit)"
    child.run(other, commit=commit)
    hub.fault("GET /api/.*/tree", status=500, times=99)
    with pytest.raises(Failed, match=r"DataError: .*: train.csv is absent; run again"):
        fetch(child, "t/half", commit)
    hub.forget()
    assert fetch(child, "t/half", commit) == CSV


@pytest.mark.parametrize("name", ["../../evil.csv", "/tmp/evil.csv", "a/../../../evil.csv"])
def test_file_names_that_lead_outside_are_refused(hub: Hub, child: Child, name: str) -> None:
    commit = hub.add("dataset", "t/outside", {name: b"text,label\na,b\n", **CSV})
    with pytest.raises(Failed, match=r"DataError: .*Invalid filename"):
        fetch(child, "t/outside", commit)
    assert not list(Path(child.home).rglob("evil.csv")) and not Path("/tmp/evil.csv").exists()


def test_rows_come_with_their_splits_and_the_names_of_their_classes(hub: Hub, child: Child, tmp_path: Path) -> None:
    card = b"""---
configs:
- config_name: default
  data_files:
  - {split: train, path: data/train-*}
  - {split: validation, path: data/validation-*}
  - {split: test, path: data/test-*}
dataset_info:
  features:
  - {name: text, dtype: string}
  - name: label
    dtype:
      class_label: {names: {'0': bad, '1': good}}
---
# Reviews
"""
    split = {
        "train": parquet(text=["fine", "NA", "poor"], label=[1, 1, 0]),
        "validation": parquet(text=["so so"], label=[0]),
        "test": parquet(text=["hidden", "007"], label=[-1, 1]),
    }
    files = {f"data/{name}-00000-of-00001.parquet": data for name, data in split.items()}
    commit = hub.add("dataset", "t/classes", {"README.md": card, **files})
    assert child.run(ROWS, repo="t/classes", commit=commit, scratch=str(tmp_path)) == [
        ["fine", "good", "train"],
        ["NA", "good", "train"],
        ["poor", "bad", "train"],
        ["so so", "bad", "validation"],
        ["hidden", None, "test"],
        ["007", "good", "test"],
    ]


def test_in_the_hubs_csv_too_only_an_empty_field_is_missing(hub: Hub, child: Child, tmp_path: Path) -> None:
    files = {"train.csv": b"text,label\nNA,yes\nnull,no\n,NA\n", "test.csv": b"text,label\nNone,no\n"}
    commit = hub.add("dataset", "t/words", files)
    rows = child.run(ROWS, repo="t/words", commit=commit, scratch=str(tmp_path))
    assert rows == [["NA", "yes", "train"], ["null", "no", "train"], [None, "NA", "train"], ["None", "no", "test"]]


def test_compressed_files_and_arrow_are_read_too(hub: Hub, child: Child, tmp_path: Path) -> None:
    table = pa.table({"text": ["fine", "poor"], "label": ["yes", "no"]})
    with pa.ipc.new_stream(stream := BytesIO(), table.schema) as writer:
        writer.write_table(table)
    lines = b'{"text": "fine", "label": "yes"}\n{"text": "poor", "label": "no"}\n'
    for name, data in {
        "train.csv.gz": gzip.compress(b"text,label\nfine,yes\npoor,no\n"),
        "train.jsonl.gz": gzip.compress(lines),
        "train.arrow": stream.getvalue(),
    }.items():
        commit = hub.add("dataset", "t/packed", {name: data})
        rows = child.run(ROWS, repo="t/packed", commit=commit, scratch=str(tmp_path / name))
        assert rows == [["fine", "yes", "train"], ["poor", "no", "train"]], name
    bomb = {"train.csv.gz": gzip.compress(b"text,label\n" + b"\0" * (80 * 2**20), 1)}
    with pytest.raises(Failed, match=r"train\.csv\.gz: unpacks to more than 200 times its own"):
        child.run(ROWS, repo="t/packed", commit=hub.add("dataset", "t/packed", bomb), scratch=str(tmp_path / "bomb"))


PICTURES = ROWS.replace("revision=commit", "revision=commit, columns=sources.Columns(image='image')")
PICTURES = PICTURES.replace("load_rows(source, Path(scratch))", "read_source(source, intake)").replace(
    "\nsource",
    "\nfrom tasks.data.sources.provenance import Intake; from tasks.data.sources.read import read_source\n"
    "intake = Intake(Path(scratch), Path(scratch) / 'images.parquet')\nsource",
    1,
)


def test_images_come_with_their_bytes_from_tables_and_from_folders(hub: Hub, child: Child, tmp_path: Path) -> None:
    pictures = {
        f"{split}/{label}/{i}.png": png(np.full((4, 4), 40 * i + len(split), np.uint8))
        for split in ("train", "test")
        for i, label in enumerate(("cat", "dog", "cat"))
    }
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    tables = {}
    for split in ("train", "test"):
        cells = [{"bytes": data, "path": None} for name, data in pictures.items() if name.startswith(split)]
        made = datasets.Dataset.from_dict({"image": cells, "label": [0, 1, 0]}, features=features)
        made.to_parquet(buffer := BytesIO())
        tables[f"data/{split}-00000-of-00001.parquet"] = buffer.getvalue()
    digests = [hashlib.sha256(data).hexdigest() for data in pictures.values()]
    for name, files in (("tables", tables), ("folders", pictures)):
        commit, scratch = hub.add("dataset", f"t/{name}", files), tmp_path / name
        rows = child.run(PICTURES, repo=f"t/{name}", commit=commit, scratch=str(scratch))
        assert sorted((row[0], row[1], row[2]) for row in rows) == sorted(
            (digest, file.split("/")[1], file.split("/")[0]) for digest, file in zip(digests, pictures, strict=True)
        )
        stored = pq.read_table(scratch / "images.parquet").to_pandas().set_index("image")["bytes"]
        assert {digest: stored[digest] for digest in digests} == dict(zip(digests, pictures.values(), strict=True))
    (tmp_path / "secret.png").write_bytes(png(np.zeros((4, 4), np.uint8)))
    for place in (str(tmp_path / "secret.png"), "../secret.png", "", None):
        cells = pa.array([{"bytes": None, "path": place}], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
        pq.write_table(pa.table({"image": cells, "label": ["a"]}), buffer := BytesIO())
        commit = hub.add("dataset", "t/thief", {"train.parquet": buffer.getvalue()})
        with pytest.raises(Failed, match=r"DataError: .*'image' names .*, which is not a file of the data set"):
            child.run(PICTURES, repo="t/thief", commit=commit, scratch=str(tmp_path / "thief"))
    commit = hub.add("dataset", "t/none", {"train.csv": b"image,label\na,b\n"})
    with pytest.raises(Failed, match="DataError: the column 'image' holds no images but str"):
        child.run(PICTURES, repo="t/none", commit=commit, scratch=str(tmp_path / "none"))


TOLD = USED + "from tasks.data.sources.provenance import Intake; from tasks.data.sources.read import read_source\n"
TOLD += "from tasks.output import environment_secret\n"
TOLD += "source = sources.HubSource(kind='hub', repo=repo, token=token)\n"
TOLD += "told = []; intake = Intake(Path(scratch), None, environment_secret, lambda *how: told.append(how))\n"
TOLD += "section, values = pins.pin(source, ask=True); read_source(section, intake); result = [told, values]"


def test_a_named_token_is_used_and_progress_is_told(
    hub: Hub, child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPER_TEST_TOKEN", "sentinel-of-the-hub")
    words = [f"word {number}" for number in range(200_000)]
    commit = hub.add("dataset", "t/private", {"train.parquet": parquet(text=words, label=words)})
    told, values = child.run(TOLD, repo="t/private", token="TEMPER_TEST_TOKEN", scratch=str(tmp_path / "1"))
    asked = [request.authorization for request in hub.requests if request.path.startswith(("/api", "/datasets"))]
    assert asked and set(asked) == {"Bearer sentinel-of-the-hub"}
    assert {request.authorization for request in hub.requests if request.path.startswith("/lfs")} == {None}
    size = len(hub.repos["dataset", "t/private"].commits[commit]["train.parquet"])
    assert told[-1] == [size, size, "downloading"] and all(done <= size for done, _, _ in told)
    assert "token" not in values and "sentinel" not in json.dumps(values)
    with pytest.raises(Failed, match="StageError: no environment variable TEMPER_NONE holds the token"):
        child.run(TOLD, repo="t/private", token="TEMPER_NONE", scratch=str(tmp_path / "2"))
    with pytest.raises(ValueError, match="token looks like a secret itself"):
        HubSource(kind="hub", repo="t/private", token="hf_" + "a" * 30)


def test_unreadable_data_are_named_with_the_cause(hub: Hub, child: Child, tmp_path: Path) -> None:
    commit = hub.add("dataset", "t/broken", {"train.parquet": b"this is no parquet"})
    with pytest.raises(Failed, match=rf"DataError: t/broken@{commit[:8]}: .*Parquet"):
        child.run(ROWS, repo="t/broken", commit=commit, scratch=str(tmp_path))
    commit = hub.add("dataset", "t/broken", {"train.csv": b"txet,label\na,b\n"})
    with pytest.raises(Failed, match=r"t/broken \(train\): no column 'text' .* did you mean 'txet'"):
        child.run(ROWS, repo="t/broken", commit=commit, scratch=str(tmp_path / "2"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("field", ["data_files", "data_dir"])
def test_a_card_cannot_name_files_outside_its_data_set(
    hub: Hub, child: Child, tmp_path: Path, place: str, field: str
) -> None:
    (tmp_path / "stolen.csv").write_text("text,label\na secret of this machine,1\n")
    hub.files["/stolen.csv"] = b"text,label\na secret of this network,1\n"
    named = json.dumps(place.format(url=hub.url, folder=tmp_path))
    named = f"[{{split: train, path: [{named}]}}]" if field == "data_files" else named
    card = f"---\nconfigs:\n- config_name: default\n  {field}: {named}\n---\n".encode()
    commit = hub.add("dataset", "t/thief", {"README.md": card, **CSV})
    with pytest.raises(Failed, match=r"DataError: .*README.md names '.*', which is not a file of the data set"):
        child.run(ROWS, repo="t/thief", commit=commit, scratch=str(tmp_path / "scratch"))
    assert not hub.seen("stolen")


def test_code_and_pickles_are_neither_fetched_nor_run(hub: Hub, child: Child, tmp_path: Path) -> None:
    canary = tmp_path / "executed"
    code, evil = f"import os; os.mkdir({str(canary)!r})\n".encode(), pickle.dumps(Canary(canary))
    bad = {"t/evil.py": code, "evil.py": code, "data.pkl": evil, "weights.bin": evil, "x.pt": evil, "x.npy": evil}
    commit = hub.add("dataset", "t/evil", {**CSV, **bad})
    assert len(child.run(ROWS, repo="t/evil", commit=commit, scratch=str(tmp_path / "scratch"))) == 4
    commit = hub.add("dataset", "t/evil", bad)
    with pytest.raises(Failed, match=r"DataError: .*no file fits"):
        child.run(ROWS, repo="t/evil", commit=commit, scratch=str(tmp_path / "scratch"))
    assert set(fetch(child, "t/evil", hub.add("dataset", "t/evil", {**CSV, **bad}))) == set(CSV)
    assert not hub.seen(r"\.(py|pkl|bin|pt|npy)|/lfs/")
    assert not canary.exists()


@pytest.mark.faults
def test_models_and_tokenizers_are_loaded_without_their_code(hub: Hub, child: Child, tmp_path: Path) -> None:
    canary = tmp_path / "executed"
    code, evil = f"import os; os.mkdir({str(canary)!r})\n".encode(), pickle.dumps(Canary(canary))
    child.run(MAKE, folder=str(tmp_path))
    good = {name: (tmp_path / name).read_bytes() for name in ("config.json", "model.safetensors", "tokenizer.json")}
    auto = {"auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M", "AutoTokenizer": ["evil.T", None]}}
    config = json.loads(good["config.json"])
    extra = {"evil.py": code, "pytorch_model.bin": evil, "optimizer.pt": evil}
    full = {**good, **extra, "config.json": json.dumps({**config, **auto}).encode()}
    commit = hub.add("model", "t/model", full)
    same, ids, expected, size = child.run(LOAD, repo="t/model", commit=commit, folder=str(tmp_path))
    assert same and ids == expected and size == 300
    assert not hub.seen(r"\.(py|bin|pt)")
    assert hub.seen("GET /lfs/") == [f"GET /lfs/{json.loads((tmp_path / 'sha256').read_text())}"]

    stated = BUILD.replace("revision=commit)", f"revision=commit, sha256={'0' * 64!r})")
    digest = json.loads((tmp_path / "sha256").read_text())
    with pytest.raises(Failed, match=rf"model\.safetensors has sha256 {digest}, and the recipe states {'0' * 64}"):
        child.run(stated, repo="t/model", commit=commit, folder=str(tmp_path))

    commit = hub.add("model", "t/pickled", {**extra, "config.json": good["config.json"]})
    with pytest.raises(Failed, match=r"DataError: .*no safetensors weights; Temper loads no other format"):
        child.run(BUILD, repo="t/pickled", commit=commit, folder=str(tmp_path))
    foreign = json.dumps({**auto, "model_type": "evil", "architectures": ["M"]}).encode()
    commit = hub.add("model", "t/foreign", {**full, "config.json": foreign})
    with pytest.raises(Failed, match=r"DataError: .*not a model that AutoModelForCausalLM can load"):
        child.run(BUILD, repo="t/foreign", commit=commit, folder=str(tmp_path))
    assert not hub.seen(r"\.(py|bin|pt)") and not canary.exists()


MAKE = """
import hashlib, json, torch
from pathlib import Path
from transformers import AutoConfig, AutoModelForCausalLM
from tasks.text.vocabulary import learn_bpe
torch.manual_seed(0)
shape = dict(vocab_size=300, n_embd=8, n_layer=1, n_head=1, n_positions=32, bos_token_id=256, eos_token_id=256)
model = AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", **shape))
model.save_pretrained(folder)
learn_bpe(["a good film", "a bad film"] * 9, 300).save(folder + "/tokenizer.json")
weights = Path(folder, "model.safetensors").read_bytes()
Path(folder, "sha256").write_text(json.dumps(hashlib.sha256(weights).hexdigest()))
"""
BUILD = """
from configs.models import HubModel, HubTokenizer
from tasks.kinds.text_classification.training import FORMS
from tasks.text import models
from tasks.kinds.text_classification.encoding import LabelWordEncoding
from tasks.text.vocabulary import learn_bpe, plain_tokenizer
tokenizer = plain_tokenizer(learn_bpe(["a good film", "a bad film"] * 9, 300), {"eos": 0})
how = LabelWordEncoding("label_word", ("bad", "good"), (5, 6), {"eos": 0}, 16, "longest", 0)
source = HubModel(kind="hub", repo=repo, revision=commit)
model = models.build_model(source, FORMS[how.kind], how, tokenizer, 0)
"""
LOAD = (
    BUILD
    + """
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tasks.text import vocabulary
saved = load_file(folder + "/model.safetensors")
state = model.state_dict()
same = all(bool((state[name] == value).all()) for name, value in saved.items())
loaded = vocabulary.make_tokenizer(HubTokenizer(kind="hub", repo=repo, revision=commit), [])
plain = Tokenizer.from_file(folder + "/tokenizer.json").encode("a bad, bad film", add_special_tokens=False).ids
result = [same and len(saved) > 10, loaded.ids(["a bad, bad film"])[0], plain, model.config.vocab_size]
"""
)


def test_a_branch_is_pinned_when_asked_and_stays_until_asked_again(hub: Hub, child: Child) -> None:
    first = hub.add("dataset", "t/pinned", CSV)
    with pytest.raises(Failed, match=r"Unpinned: dataset t/pinned@main was never resolved here; .*plan --refresh"):
        child.run(PIN, repo="t/pinned", ask=False)
    assert hub.seen() == []
    revision, values = child.run(PIN, repo="t/pinned", ask=True)
    assert revision == values["commit"] == first and "revision" not in values
    second = hub.add("dataset", "t/pinned", {**CSV, "more.csv": b"text,label\nx,1\n"})
    hub.forget()
    assert child.run(PIN, repo="t/pinned", ask=False) == [first, values]
    source = HubSource(kind="hub", repo="t/pinned")
    assert pins.pin(source, ask=True)[0].revision == first  # this process has HF_HUB_OFFLINE=1
    assert hub.seen() == []
    assert child.run(PIN, repo="t/pinned", ask=True)[0] == second
    assert pins.pin(source, ask=False)[0].revision == second
    with pytest.raises(Unpinned, match=r"t/new@main was never resolved here; unset HF_HUB_OFFLINE once"):
        pins.pin(HubSource(kind="hub", repo="t/new"), ask=True)
    exact = HubSource(kind="hub", repo="t/new", revision=first)
    assert pins.pin(exact, ask=False) == (exact, {**values, "repo": "t/new"})


def test_a_failed_question_leaves_the_last_answer(hub: Hub, child: Child) -> None:
    first = hub.add("dataset", "t/last", CSV)
    child.run(PIN, repo="t/last", ask=True)
    hub.fault("GET /api", status=500, times=99)
    with pytest.raises(Failed, match="DataError"):
        child.run(PIN, repo="t/last", ask=True)
    assert pins.pin(HubSource(kind="hub", repo="t/last"), ask=False)[0].revision == first


def test_offline_serves_what_is_here_verified_and_names_what_is_not(
    hub: Hub, child: Child, home: Path, tmp_path: Path
) -> None:
    files = {"train.parquet": parquet(text=["a"], label=["x"]), "test.csv": CSV["test.csv"]}
    commit = hub.add("dataset", "t/offline", files)
    fetch(child, "t/offline", commit, ("train.*",))
    gone = hub.add("dataset", "t/offline", CSV)
    hub.forget()
    offline = Child(hub.url, Path(child.home), HF_HUB_OFFLINE="1")
    try:
        assert fetch(offline, "t/offline", commit, ("train.*",)) == {"train.parquet": files["train.parquet"]}
        for revision, patterns in ((commit, ("*.csv",)), (gone, ())):
            with pytest.raises(Failed, match=r"DataError: .*HF_HUB_OFFLINE is set and the files are not all here"):
                fetch(offline, "t/offline", revision, patterns)
        with pytest.raises(Failed, match=r"DataError: .*HF_HUB_OFFLINE is set"):
            resolve(offline, "t/offline")
        path = Path(child.home, "hub", "datasets--t--offline", "snapshots", commit, "train.parquet")
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        with pytest.raises(Failed, match=r"train.parquet has a wrong checksum"):
            fetch(offline, "t/offline", commit, ("train.*",))
    finally:
        offline.stop()
    assert hub.seen() == []
