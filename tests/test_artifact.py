"""Digests, canonical JSON, the sealed manifest, restricted opens, links and lineage."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from configs.settings import settings
from tasks.artifact import (
    MANIFEST,
    Artifact,
    StageError,
    canonical,
    content_digest,
    describe_files,
    digest_file,
    digest_text,
    lineage,
    read_manifest,
    seal,
)
from tasks.store import disk


def build(stage: str, key: str, files: dict[str, str], inputs: tuple[Artifact, ...] = ()) -> Artifact:
    """A committed artifact with these files."""
    partial = disk.begin(settings().store, stage, key)
    for name, text in files.items():
        path = partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    references = {f"input{i}": {"stage": a.stage, "key": a.key, "digest": a.digest} for i, a in enumerate(inputs)}
    return disk.commit(settings().store, stage, key, {"inputs": references})


def test_canonical_json_has_one_spelling_per_value() -> None:
    assert canonical({"b": 1, "a": [True, None, 2e-5]}) == '{"a":[true,null,2e-05],"b":1}'
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    assert canonical("ü") == '"ü"'
    assert canonical((1, 2)) == canonical([1, 2])
    assert canonical(1) != canonical(1.0) != canonical("1.0") != canonical(True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_canonical_json_refuses_what_json_cannot_say(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"x": value})


def test_canonical_json_refuses_objects() -> None:
    with pytest.raises(TypeError):
        canonical({"path": Path("x")})


def test_digests_are_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes("ü\r\n\0".encode() * 100_000)
    assert digest_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest_text("ü") == hashlib.sha256("ü".encode()).hexdigest()


def test_content_digest_is_of_names_and_bytes_under_data_alone() -> None:
    base = {"data/a": {"sha256": "1", "size": 1}, "data/b": {"sha256": "2", "size": 1}}
    same = {"records/r": {"sha256": "9"}, "data/b": {"sha256": "2", "mtime_ns": 5}, "data/a": {"sha256": "1"}}
    assert content_digest(base) == content_digest(same)
    swapped = {"data/a": {"sha256": "2"}, "data/b": {"sha256": "1"}}
    renamed = {"data/a": {"sha256": "1"}, "data/c": {"sha256": "2"}}
    fewer = {"data/a": {"sha256": "1"}}
    assert len({content_digest(each) for each in (base, swapped, renamed, fewer)}) == 4


def test_the_digest_tells_neither_place_nor_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build("made", "k", {"data/a": "x", "records/r": "one"})
    monkeypatch.setenv("TEMPER_HOME", str(tmp_path / "elsewhere"))
    second = build("made", "k", {"data/a": "x", "records/r": "two"})
    assert first == second
    assert build("made", "l", {"data/a": "y"}).digest != first.digest


def test_the_manifest_says_what_lies_there() -> None:
    artifact = build("made", "k", {"data/a": "x", "data/sub/b": "yy", "records/r": ""})
    manifest = artifact.manifest()
    assert set(manifest["files"]) == {"data/a", "data/sub/b", "records/r"}
    for name, entry in manifest["files"].items():
        path = artifact.path / name
        assert entry["size"] == path.stat().st_size and entry["sha256"] == digest_file(path)
        assert entry["inode"] == path.stat().st_ino and entry["mtime_ns"] == path.stat().st_mtime_ns
    assert (manifest["stage"], manifest["key"], manifest["digest"]) == ("made", "k", artifact.digest)


MANIFEST_SAID = {"key": "k", "lr": 2e-05, "text": "a\u0007b", "files": {"data/a": {"size": 1}}, "deep": [{"x": None}]}


def test_a_sealed_manifest_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(seal(MANIFEST_SAID), encoding="utf-8")
    assert read_manifest(tmp_path) == MANIFEST_SAID


def test_any_other_byte_in_a_sealed_manifest_is_seen(tmp_path: Path) -> None:
    """Every single-bit flip, even where the JSON means the same (2e-05 and 2E-05, a spelt as an escape)."""
    text = seal(MANIFEST_SAID).encode()
    path, tried = tmp_path / MANIFEST, 0
    for at in range(len(text)):
        for bit in range(8):
            path.write_bytes(text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1 :])
            with pytest.raises(ValueError, match="manifest"):
                read_manifest(tmp_path)
            tried += 1
    assert tried > 1000
    for other in (text + b"\n", b" " + text, text + text, json.dumps(json.loads(text), indent=1).encode()):
        path.write_bytes(other)
        with pytest.raises(ValueError, match="manifest"):
            read_manifest(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"[1]", b"5", b'"x"', b"null", b'{"sha256":1}', b"{", b"\xff\xfe", b"NaN", b"\0" * 99],
)
def test_an_unreadable_manifest_is_a_value_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ValueError, match="manifest"):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="manifest unreadable"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(ValueError, match="manifest unreadable"):
        read_manifest(tmp_path)


def test_only_declared_files_open() -> None:
    artifact = build("made", "k", {"data/train.parquet": "a", "data/test.parquet": "b", "data/sub/x.json": "c"})
    assert artifact.file("test.parquet").read_text() == "b"
    limited = artifact.limited(("train.parquet", "sub/*.json"))
    assert limited.file("train.parquet").read_text() == "a"
    assert limited.file("sub/x.json").read_text() == "c"
    for name in ("test.parquet", "Train.parquet", "train.parquet.bak", "sub/x.yaml", "../records/r"):
        with pytest.raises(PermissionError, match=r"not declared in opens=\('train.parquet', 'sub/\*.json'\)"):
            limited.file(name)
    with pytest.raises(PermissionError):
        artifact.limited(()).file("train.parquet")
    assert limited.path == artifact.path and limited.digest == artifact.digest


def plant(folder: Path, kind: str) -> None:
    """Something other than a plain file, under data/."""
    (folder / "data" / "real").write_text("x")
    outside = folder.parent.parent.parent / "outside"
    outside.mkdir(parents=True, exist_ok=True)
    (outside / "file").write_text("x")
    place = folder / "data" / "odd"
    match kind:
        case "link to a file":
            place.symlink_to(folder / "data" / "real")
        case "link out":
            place.symlink_to(outside / "file")
        case "link to a folder":
            place.symlink_to(outside, target_is_directory=True)
        case "broken link":
            place.symlink_to("nowhere")
        case "pipe":
            os.mkfifo(place)
        case "data is a link":
            (folder / "data").rename(outside / "data")
            (folder / "data").symlink_to(outside / "data", target_is_directory=True)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "kind", ["link to a file", "link out", "link to a folder", "broken link", "pipe", "data is a link"]
)
def test_links_and_pipes_never_become_part_of_an_artifact(kind: str) -> None:
    root = settings().store
    partial = disk.begin(root, "made", "k")
    plant(partial, kind)
    with pytest.raises(StageError, match="plain files only"):
        describe_files(partial)
    with pytest.raises(StageError, match="plain files only"):
        disk.commit(root, "made", "k", {})
    assert disk.find(root, "made", "k") is None


def test_lineage_names_every_artifact_behind_one() -> None:
    raw = build("download", "r", {"data/x": "1"})
    checked = build("validate", "c", {"data/x": "2"}, (raw,))
    splits = build("split", "s", {"data/x": "3"}, (checked,))
    encoded = build("encode", "e", {"data/x": "4"}, (splits,))
    model = build("train", "m", {"data/x": "5"}, (encoded,))
    report = build("evaluate", "p", {"data/x": "6"}, (model, encoded, splits))
    everything = {"download": raw, "validate": checked, "split": splits, "encode": encoded, "train": model}
    assert lineage(report) == everything | {"evaluate": report}
    assert lineage(raw) == {"download": raw}


def test_of_one_stage_the_nearest_artifact_is_the_lineage() -> None:
    """A model trained from a teacher is itself; a direct input counts before the same stage's output further up."""
    old, new = build("encode", "old", {"data/x": "1"}), build("encode", "new", {"data/x": "2"})
    teacher = build("train", "teacher", {"data/x": "3"}, (old,))
    student = build("train", "student", {"data/x": "4"}, (new, teacher))
    assert lineage(student) == {"train": student, "encode": new}


def test_lineage_of_damaged_artifacts_is_refused() -> None:
    raw = build("download", "r", {"data/x": "1"})
    checked = build("validate", "c", {"data/x": "2"}, (raw,))
    (raw.path / MANIFEST).unlink()
    with pytest.raises(ValueError, match="manifest unreadable"):
        lineage(checked)


def test_what_was_deleted_and_made_anew_under_another_key_stands_in_the_lineage() -> None:
    raw = build("download", "r", {"data/x": "1"})
    old = build("validate", "old", {"data/x": "2"}, (raw,))
    rows = build("clean", "c", {"data/x": "3"}, (old,))
    build("validate", "other", {"data/x": "other"}, (raw,))
    build("validate", "new.damaged", {"data/x": "2"}, (raw,))
    shutil.rmtree(old.path)
    with pytest.raises(StageError, match="validate/old was deleted"):
        lineage(rows)
    new = build("validate", "new", {"data/x": "2"}, (raw,))
    assert lineage(rows) == {"download": raw, "validate": new, "clean": rows}
