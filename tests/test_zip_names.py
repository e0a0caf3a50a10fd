"""Names in archives are bytes: encodings of zips are detected and reported, system files skipped, odd names escaped."""

import io
import tarfile
from pathlib import Path

import pytest
from test_init_sources import made, packed, photographs, picture

from configs.image_sources import ImagesSource
from tasks.data.sources.archives import read_members
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.data.sources.zip_names import zip_encoding

NAMES = {
    "gbk": ["猫/照片一.png", "狗狗/我的照片.png", "汽车/北京.png", "自行车/上海路口.png"],
    "cp932": ["ねこ/しゃしん.png", "犬/写真.png", "カメラ/東京タワー.png", "自転車/駅前の店.png"],
    "cp850": ["café/été.png", "Müller/grün.png", "Ærø/påske.png", "São João/coração.png", "ÁRBOL/NIÑO.png"],
    "cp437": ["café/naïve.png", "Übung/Straße.png", "niño/año.png"],
    "cp866": ["кошки/фото.png", "собаки/Москва.png"],
    "utf-8": ["猫/写真.png", "café/über.png", "кошки/фото.png"],
    "cp1252": ["Ärger/Größe.png", "élève/forêt.png"],
}


@pytest.mark.parametrize(("encoding", "names"), NAMES.items())
def test_encodings_of_names_are_detected(encoding: str, names: list[str]) -> None:
    for chosen in ([name] for name in names):
        try:
            data = [name.encode(encoding) for name in chosen]
        except UnicodeEncodeError:
            continue
        assert [name.decode(zip_encoding(data)) for name in data] == chosen
    data = [name.encode(encoding) for name in names]
    assert [name.decode(zip_encoding(data)) for name in data] == names


def encoded(files: dict[str, bytes], encoding: str) -> bytes:
    """A zip whose names are bytes of an encoding, without the flag of UTF-8: put in place of as many letters."""
    raw = [name.encode(encoding, "surrogateescape") for name in files]
    names = [f"<{number}>".ljust(len(name), "_") for number, name in enumerate(raw)]
    archive = packed(dict(zip(names, files.values(), strict=True)))
    for name, data in zip(names, raw, strict=True):
        archive = archive.replace(name.encode(), data)
    return archive


@pytest.mark.parametrize("encoding", ["gbk", "cp932", "cp850"])
def test_a_zip_of_another_machine_has_its_own_labels(tmp_path: Path, encoding: str) -> None:
    folders = [name.partition("/")[0] for name in NAMES[encoding][-2:]]
    files = {f"{folder}/{number}.png": picture(number) for number in range(8) for folder in folders}
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "a.zip").write_bytes(encoded(files, encoding))
    intake = Intake(tmp_path / "s")
    rows = read_source(ImagesSource(kind="images", path="a.zip"), intake)
    assert set(rows["label"]) == set(folders)
    assert any(f"detected as {encoding}, so that one reads {folders[0] + '/0.png'!r}" in note for note in intake.notes)
    recipe, _ = made("a.zip", tmp_path)
    assert set(recipe.validate.labels or ()) == set(folders)


SYSTEM = ("Icon\r", "ant/Icon\r", "__MACOSX/ant/._0.png", ".DS_Store", "ant/Thumbs.db", "bee/desktop.ini")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_system_files_are_counted_and_odd_names_escaped(tmp_path: Path, kind: str) -> None:
    files = photographs(count=4) | dict.fromkeys(SYSTEM, b"x") | {"ant/a\nb.png": picture(9)}
    place = tmp_path / "data" / f"a.{kind}"
    if kind == "zip":
        place.write_bytes(packed(files))
    else:
        with tarfile.open(place, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as archive:
            for name, data in [*files.items(), ("caf\udce9/\udcff.png", picture(7))]:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    intake = Intake(tmp_path / "s")
    rows = read_source(ImagesSource(kind="images", path=place.name), intake)
    odd = {r"caf\xe9/\xff.png"} if kind == "tar" else set()
    assert set(rows["file"]) == {*photographs(count=4), r"ant/a\x0ab.png"} | odd
    assert "6 files are no images by their names" in intake.notes[-1]


def test_names_that_no_encoding_fits_are_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(encoded({"a\udc81\udc8d.png": b"x", "b.png": b"y"}, "utf-8"))
    names = [member.name for member in read_members(tmp_path / "a.zip")]
    assert names[1] == "b.png" and len(names) == 2 and names[0].isprintable()
