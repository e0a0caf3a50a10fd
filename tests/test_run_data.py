"""What an MLflow run tells of its data: where they came from, the licence, the parts and their digests."""

import hashlib
import json
import zipfile
from pathlib import Path

from tiny import planted, recipe

from flows.stage_graph import perform_until
from tasks.tracking import runs
from tasks.tracking.datasets import provenance
from tasks.tracking.run_data import log_data

OWN = ("download={kind: file, path: planted.zip}", "validate.min_rows=10")


def pack(path: Path, licence: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", planted(300).to_csv(index=False))
        archive.writestr("LICENSE", licence)


def test_a_run_names_the_source_with_its_licence_and_the_parts(tmp_path: Path, home: Path) -> None:
    pack(tmp_path / "data" / "planted.zip", b"CC BY 4.0\n")
    stages = {name: outcome.result for name, outcome in perform_until(recipe(*OWN), "split").items()}
    client = runs.client()
    run_id = client.create_run(runs.experiment(client, "planted")).info.run_id
    log_data(client, run_id, stages)
    told = client.get_run(run_id)
    tags = {name.removeprefix("temper.source."): value for name, value in told.data.tags.items() if "source" in name}
    assert tags["kind"] == "file" and tags["where"] == "planted.zip" and tags["licence"] == "CC BY 4.0 (LICENSE)"
    packed = hashlib.sha256((tmp_path / "data" / "planted.zip").read_bytes()).hexdigest()
    assert tags["sha256"].startswith(f"planted.zip: {packed}; rows.csv: ") and tags["when"].endswith("Z")
    inputs = {item.tags[0].value: item.dataset for item in told.inputs.dataset_inputs}
    files = stages["split"].manifest()["files"]
    assert {name: dataset.digest for name, dataset in inputs.items()} == {
        name: files[f"data/{name}.parquet"]["sha256"][:36] for name in ("train", "validation", "test")
    }
    assert json.loads(inputs["test"].source)["uri"] == "planted.zip"
    assert "records/provenance.json" in stages["download"].manifest()["files"]
    about = provenance(stages["download"])
    assert stages["download"].manifest()["provenance"] == about
    assert [file["name"] for file in about["files"]] == ["planted.zip", "rows.csv"]
    assert about["files"][0]["bytes"] == (tmp_path / "data" / "planted.zip").stat().st_size
