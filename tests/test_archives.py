"""Archives: members are chosen by name, read whole, and nothing in one can reach out of the scratch folder."""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub, sha256
from source_rows import load_rows

from configs.image_sources import ImagesSource
from configs.sources import FileSource, UrlSource
from tasks import pins
from tasks.data.errors import DataError
from tasks.data.sources import archives, fetch
from tasks.data.sources.archives import read_members, unpack
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source

ROWS = b"text,label\na film,good\nno film,bad\n"
MORE = b"text,label\nold film,good\n"


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def tarred(*members: tuple[str | tarfile.TarInfo, bytes], **how: Any) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", **how) as archive:
        for entry, content in members:
            header = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry)
            if header.isreg():
                header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return data.getvalue()


def special(name: str, kind: bytes, to: str = "") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, to
    return header


def moded(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (mode | 0o644) << 16
    return entry


def encrypted() -> bytes:
    """The flag alone: that is what a reader goes by."""
    data = bytearray(zipped(("a.csv", ROWS), how=zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def with_nul() -> bytes:
    """zipfile cuts a name at a NUL when it reads it."""
    return zipped(("a.csvX../evil", ROWS)).replace(b"a.csvX", b"a.csv\0")


def with_header(kind: bytes, content: bytes) -> bytes:
    header = tarfile.TarInfo("long")
    header.type, header.size = kind, len(content)
    block = header.tobuf(tarfile.GNU_FORMAT)
    return block + content + b"\0" * (-len(content) % 512) + tarred(("a.csv", ROWS))


GOOD = ("a.csv", ROWS)
ESCAPES: dict[str, Callable[[str], bytes]] = {
    "zip upwards": lambda out: zipped(GOOD, ("../evil.csv", ROWS)),
    "zip upwards inside": lambda out: zipped(GOOD, ("a/../../evil.csv", ROWS)),
    "zip upwards to the end": lambda out: zipped(GOOD, ("a/..", ROWS)),
    "zip absolute": lambda out: zipped(GOOD, (f"{out}/evil.csv", ROWS)),
    "zip backslashes": lambda out: zipped(GOOD, ("..\\..\\evil.csv", ROWS)),
    "zip drive": lambda out: zipped(GOOD, ("C:\\evil.csv", ROWS)),
    "zip network path": lambda out: zipped(GOOD, ("\\\\host\\evil.csv", ROWS)),
    "zip folder upwards": lambda out: zipped(GOOD, ("../evil/", b"")),
    "zip NUL in a name": lambda out: with_nul(),
    "zip link": lambda out: zipped(GOOD, (moded("link", stat.S_IFLNK), out.encode())),
    "zip link and through it": lambda out: zipped((moded("d", stat.S_IFLNK), out.encode()), ("d/evil.csv", ROWS)),
    "zip fifo": lambda out: zipped(GOOD, (moded("fifo", stat.S_IFIFO), b"")),
    "zip device": lambda out: zipped(GOOD, (moded("null", stat.S_IFCHR), b"")),
    "zip encrypted": lambda out: encrypted(),
    "zip the same name twice": lambda out: zipped(GOOD, ("./a.csv", MORE)),
    "tar upwards": lambda out: tarred(GOOD, ("../evil.csv", ROWS)),
    "tar upwards inside": lambda out: tarred(GOOD, ("a/../../evil.csv", ROWS)),
    "tar absolute": lambda out: tarred(GOOD, (f"{out}/evil.csv", ROWS)),
    "tar folder upwards": lambda out: tarred(GOOD, (special("../evil", tarfile.DIRTYPE), b"")),
    "tar long name upwards": lambda out: tarred(GOOD, ("../" * 60 + "evil.csv", ROWS), format=tarfile.GNU_FORMAT),
    "tar pax name upwards": lambda out: tarred(GOOD, ("../" * 60 + "evil.csv", ROWS), format=tarfile.PAX_FORMAT),
    "tar backslashes": lambda out: tarred(GOOD, ("..\\evil.csv", ROWS)),
    "tar link outside": lambda out: tarred(GOOD, (special("link", tarfile.SYMTYPE, out), b"")),
    "tar link and through it": lambda out: tarred((special("d", tarfile.SYMTYPE, out), b""), ("d/evil.csv", ROWS)),
    "tar link in steps": lambda out: tarred(
        (special("d", tarfile.SYMTYPE, "."), b""), (special("d/e", tarfile.SYMTYPE, ".."), b""), ("d/e/evil.csv", ROWS)
    ),
    "tar link inside": lambda out: tarred(GOOD, (special("link", tarfile.SYMTYPE, "a.csv"), b"")),
    "tar hard link outside": lambda out: tarred(GOOD, (special("b.csv", tarfile.LNKTYPE, f"{out}/old.csv"), b"")),
    "tar hard link inside": lambda out: tarred(GOOD, (special("b.csv", tarfile.LNKTYPE, "a.csv"), b"")),
    "tar fifo": lambda out: tarred(GOOD, (special("fifo", tarfile.FIFOTYPE), b"")),
    "tar character device": lambda out: tarred(GOOD, (special("null", tarfile.CHRTYPE), b"")),
    "tar block device": lambda out: tarred(GOOD, (special("disk", tarfile.BLKTYPE), b"")),
    "tar sparse": lambda out: tarred(GOOD, (special("sparse.csv", tarfile.GNUTYPE_SPARSE), b"")),
    "tar unknown type": lambda out: tarred(GOOD, (special("b.csv", b"Z"), b"")),
    "tar the same name twice": lambda out: tarred(GOOD, ("./a.csv", MORE)),
    "tar long header": lambda out: with_header(tarfile.XHDTYPE, b"9" * 2**21),
    "tar long global header": lambda out: with_header(tarfile.XGLTYPE, b"9" * 2**21),
    "tar long name header": lambda out: with_header(tarfile.GNUTYPE_LONGNAME, b"9" * 2**21),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where relative paths of sources start (conftest)."""
    return tmp_path / "data"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def save(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def texts(source: FileSource | UrlSource, scratch: Path) -> list[str]:
    return load_rows(source, scratch)["text"].tolist()


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_escapes(folder: Path, scratch: Path, tmp_path: Path, name: str) -> None:
    """Planted ways out: as a table's archive, as an archive of images, and unpacked whole; each is refused."""
    outside = tmp_path / "outside"
    outside.mkdir()
    save(outside, "old.csv", b"as before")
    path = save(folder, f"x.{name[:3]}", ESCAPES[name](str(outside)))
    before = tree(tmp_path)
    with pytest.raises(DataError, match=rf"x\.{name[:3]}: "):
        load_rows(FileSource(kind="file", path=path.name, member="*.csv"), scratch)
    with pytest.raises(DataError, match=rf"x\.{name[:3]}: "):
        load_rows(ImagesSource(kind="images", path=path.name), scratch)
    with pytest.raises(DataError, match=rf"x\.{name[:3]}: "):
        unpack(path, lambda member: True, scratch / "all")
    written = {at: what for at, what in tree(tmp_path).items() if before.get(at) != what}
    places = ("scratch/all", "scratch/images.spool", "scratch/unpacked")
    assert all(at.startswith(places) for at in written), written
    assert not [at for at, what in written.items() if what in ("link", "odd")]
    assert set(before) <= set(tree(tmp_path))


def test_there_are_enough_ways_out() -> None:
    assert len(ESCAPES) >= 20


def tree(root: Path) -> dict[str, str]:
    """Every path below a folder with what is there."""
    found = {}
    for path in root.rglob("*"):
        kind = "folder" if path.is_dir() else sha256(path.read_bytes()) if path.is_file() else "odd"
        found[path.relative_to(root).as_posix()] = "link" if path.is_symlink() else kind
    return found


ZEROS = b"\0" * (80 * 2**20)
BOMBS: dict[str, Callable[[], bytes]] = {
    "zip": lambda: zipped(("a.csv", ZEROS)),
    "zip of many": lambda: zipped(*((f"{i}.csv", ZEROS[: 2**20]) for i in range(80))),
    "tar.gz": lambda: gzip.compress(tarred(("a.csv", ZEROS)), 1),
    "tar.xz": lambda: lzma.compress(tarred(("a.csv", ZEROS)), preset=0),
    "tar.bz2": lambda: bz2.compress(tarred(("a.csv", ZEROS)), 1),
    "tar.gz behind its end": lambda: gzip.compress(with_header(b"0", ZEROS), 1),
}


@pytest.mark.parametrize(
    "name", ["zip", "tar.gz", *(pytest.param(n, marks=pytest.mark.faults) for n in BOMBS if n not in ("zip", "tar.gz"))]
)
def test_a_bomb_is_refused_before_it_fills_the_disk(folder: Path, scratch: Path, name: str) -> None:
    path = save(folder, f"x.{name.partition(' ')[0]}", BOMBS[name]())
    with pytest.raises(DataError, match=r"unpacks to more than 200 times its own [\d,]+ bytes"):
        unpack(path, lambda member: True, scratch / "all")
    assert sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file()) < 66 * 2**20


def test_limits_of_size_and_count(folder: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in (("x.zip", zipped(("a", b"1234"), ("b", b"5678"))), ("x.tar", tarred(("a", b"1" * 9000)))):
        path = save(folder, name, data)
        monkeypatch.setenv("TEMPER_LARGEST_SOURCE", "7")
        with pytest.raises(DataError, match="more than 7 bytes, the limit that TEMPER_LARGEST_SOURCE sets"):
            list(read_members(path))
        monkeypatch.setenv("TEMPER_LARGEST_SOURCE", "99999")
        assert len(list(read_members(path))) in (1, 2)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    for name, pack in (("x.zip", zipped), ("x.tar", tarred)):
        with pytest.raises(DataError, match="more than 2 files"):
            list(read_members(save(folder, name, pack(("a", b""), ("b", b""), ("c", b"")))))


def damaged() -> Iterator[tuple[str, bytes]]:
    plain, packed = tarred(("a.csv", ROWS * 99), ("b.csv", MORE)), zipped(("a.csv", ROWS * 99), ("b.csv", MORE))
    yield "text.zip", ROWS
    yield "text.tar", ROWS * 99
    yield "cut.zip", packed[:-30]
    yield "cut in the data.tar", plain[:3000]
    yield "cut between members.tar", plain[: 512 + 4096 - 4096 % 512]
    yield "cut in a header.tar", plain[: plain.index(b"b.csv") + 100]
    yield "no closing blocks.tar", plain[: plain.index(b"b.csv") + 1024]
    yield "overwritten header.tar", plain.replace(b"b.csv", b"c.csv")
    yield "cut.tar.gz", gzip.compress(plain)[:-50]
    yield "flipped.tar.gz", flipped(gzip.compress(plain), 60)
    yield "flipped.zip", flipped(zipped(("a.csv", ROWS), how=zipfile.ZIP_STORED), 60)
    yield "cut.tar.xz", lzma.compress(plain)[:-50]
    yield "flipped.tar.bz2", flipped(bz2.compress(plain), 60)
    yield "empty gz.tar.gz", gzip.compress(b"")
    yield "flipped digit.tar", plain.replace(b"b.csv", b"b.csv", 1)[:156] + b"5" + plain[157:]
    yield "two joined.tar", plain + tarred(("c.csv", MORE))
    yield "attributes at the end.tar", tarred(("é" * 90, ROWS), format=tarfile.PAX_FORMAT)[:1024] + bytes(1024)
    yield "two joined.zip", packed + zipped(("c.csv", MORE))
    yield "more in front.zip", zipped(("c.csv", MORE)).replace(b"PK\5\6", b"PK\7\6") + packed
    yield "more behind.zip", packed + b"more"
    yield "not listed.zip", unlisted()
    yield "overlapping.zip", overlapping()
    for ending, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        both = pack(plain[:3000]) + flipped(pack(plain[3000:]), 1)
        yield f"rotten second stream.tar.{ending}", both
        yield f"more behind.tar.{ending}", pack(plain) + b"more"


def unlisted() -> bytes:
    """Two members, of which the directory lists the first."""
    data = zipped(("a.csv", ROWS * 99), ("b.csv", MORE), how=zipfile.ZIP_STORED)
    start, second = data.index(b"PK\1\2"), data.rindex(b"PK\1\2")
    end = data.index(b"PK\5\6")
    return data[:second] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, second - start, start, 0) + data[end + 22 :]


def overlapping() -> bytes:
    """Two names for the same data, as in an archive that unpacks to far more than it has."""
    data = bytearray(zipped(("a.csv", ROWS), ("b.csv", ROWS), how=zipfile.ZIP_STORED))
    second = data.rindex(b"PK\1\2")
    data[second + 42 : second + 46] = struct.pack("<L", 0)
    return bytes(data)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


@pytest.mark.parametrize(("name", "data"), damaged(), ids=lambda part: part if isinstance(part, str) else "")
def test_a_damaged_archive_is_said_so_and_never_read_in_part(
    folder: Path, scratch: Path, name: str, data: bytes
) -> None:
    save(folder, name, data)
    with pytest.raises(DataError, match="not a zip or tar archive, or damaged"):
        load_rows(FileSource(kind="file", path=name, member="*.csv"), scratch)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_archive_is_read_as_tarfile_reads_it_and_no_part_of_it_alone(folder: Path, form: int) -> None:
    names = ["a.csv", "d/é " + "x" * 90 + "/" + "y" * 60, *([] if form == tarfile.USTAR_FORMAT else ["z" * 300])]
    members = [(name, name.encode() * 50) for name in names]
    folders = tarfile.TarInfo("d")
    folders.type = tarfile.DIRTYPE
    data = tarred((folders, b""), *members, format=form)
    path = save(folder, "x.tar", data)
    read = [(member.name, b"".join(member.blocks())) for member in read_members(path)]
    assert read == members
    for length in range(0, len(data), 64):
        path.write_bytes(data[:length])
        try:
            assert [(member.name, b"".join(member.blocks())) for member in read_members(path)] == members
        except DataError:
            continue
        assert not any(data[length:])
    for place in set(range(512)) - {155}:  # of the first header, but for what ends its checksum
        path.write_bytes(flipped(data, place))
        with pytest.raises(DataError, match="damaged"):
            list(read_members(path))


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_name_of_a_million_characters_is_refused(folder: Path, scratch: Path, pack: Callable[..., bytes]) -> None:
    path = save(
        folder, f"x.{'zip' if pack is zipped else 'tar'}", pack(("n" * (60_000 if pack is zipped else 10**6), b"x"))
    )
    with pytest.raises(DataError, match=r"in the archive has [\d,]+ characters, a path at most 4,096"):
        load_rows(ImagesSource(kind="images", path=path.name), scratch)


def test_compressed_streams_behind_one_another_are_one_file(folder: Path) -> None:
    for ending, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        path = save(folder, f"a.csv.{ending}", pack(ROWS) + pack(MORE) + bytes(8))
        (member,) = read_members(path)
        assert b"".join(member.blocks()) == ROWS + MORE


@pytest.mark.parametrize("ending", archives.ENDINGS)
def test_a_table_in_an_archive(folder: Path, scratch: Path, ending: str) -> None:
    packers = {"gz": gzip.compress, "xz": lzma.compress, "z2": bz2.compress}
    pack = {".tgz": "gz", ".txz": "xz"}.get(ending, ending[-2:])
    members = (("./", b""), ("top/a.csv", ROWS), ("__MACOSX/._a.csv", b"?"), ("top/.hidden.csv", b"?"), ("notes", b"x"))
    plain = zipped(*members[1:]) if ending == ".zip" else tarred((special("./", tarfile.DIRTYPE), b""), *members[1:])
    save(folder, f"x{ending}", packers.get(pack, bytes)(plain))
    for member in (None, "a.csv", "top/a.csv", "*.csv", "top/*", ("a.csv",)):
        source = FileSource(kind="file", path=f"x{ending}", member=member)
        assert texts(source, scratch) == ["a film", "no film"], member
    save(folder, "noend", packers.get(pack, bytes)(plain))
    assert texts(FileSource(kind="file", path="noend", member="a.csv"), scratch) == ["a film", "no film"]


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)])
def test_a_compressed_table_is_read_like_the_table(folder: Path, scratch: Path, ending: str, pack: Any) -> None:
    save(folder, f"a.csv.{ending}", pack(ROWS))
    save(folder, f"b.tsv.{ending}", pack(MORE.replace(b",", b"\t")))
    assert texts(FileSource(kind="file", path=f"[ab].?sv.{ending}"), scratch) == ["a film", "no film", "old film"]
    save(folder, f"a.{ending}", pack(ROWS))
    assert texts(FileSource(kind="file", path=f"a.{ending}", format="csv"), scratch) == ["a film", "no film"]
    save(folder, f"cut.csv.{ending}", pack(os.urandom(9999))[:-9])
    with pytest.raises(DataError, match=rf"cut\.csv\.{ending}: not a zip or tar archive, or damaged"):
        load_rows(FileSource(kind="file", path=f"cut.csv.{ending}"), scratch)
    save(folder, f"zeros.csv.{ending}", pack(ZEROS))
    with pytest.raises(DataError, match="unpacks to more than 200 times its own"):
        load_rows(FileSource(kind="file", path=f"zeros.csv.{ending}"), scratch)


def test_what_a_compressed_table_is_called_tells_its_format(folder: Path) -> None:
    """The same bytes under the name of another format are another source."""
    save(folder, "a.csv.gz", gzip.compress(ROWS, mtime=0))
    save(folder, "a.tsv.gz", gzip.compress(ROWS, mtime=0))
    keys = [pins.pin(FileSource(kind="file", path=f"a.{kind}.gz"), ask=False)[1] for kind in ("csv", "tsv")]
    assert keys[0] != keys[1]


def test_members_are_chosen_by_name(folder: Path, scratch: Path) -> None:
    save(folder, "x.zip", zipped(("d/b.csv", MORE), ("d/a.csv", ROWS), ("e/a.csv", MORE), ("d/readme", b"text,label")))

    def read(member: Any, **how: Any) -> list[str]:
        return texts(FileSource(kind="file", path="x.zip", member=member, **how), scratch)

    assert read("d/*.csv") == ["a film", "no film", "old film"]
    assert read(("d/b.csv", "d/a.csv")) == ["old film", "a film", "no film"]
    assert read(("b.csv", "d/*.csv")) == ["old film", "a film", "no film"]
    for member, message in [
        (None, r"3 tables in the archive; name them with `member`: d/a\.csv, d/b\.csv, e/a\.csv"),
        ("a.csv", r"`member` 'a\.csv' fits 2 files"),
        ("c.csv", r"`member` 'c\.csv' fits no file in the archive, which holds d/a\.csv"),
        ("A.csv", "fits no file"),
    ]:
        with pytest.raises(DataError, match=message):
            read(member)
    with pytest.raises(DataError, match=r"x\.zip/d/readme: unknown ending; set `format`"):
        read("d/readme")
    with pytest.raises(DataError, match="the source holds no rows"):
        read("d/readme", format="csv")


def test_equal_names_in_several_archives_are_several_tables(folder: Path, scratch: Path) -> None:
    save(folder, "1.zip", zipped(("a.csv", ROWS)))
    save(folder, "2.zip", zipped(("a.csv", MORE)))
    assert texts(FileSource(kind="file", path="*.zip"), scratch) == ["a film", "no film", "old film"]


def test_an_error_names_the_member_and_not_its_copy(folder: Path, scratch: Path) -> None:
    save(folder, "x.zip", zipped(("a.csv", ROWS + b"caf\xe9,good\n")))
    with pytest.raises(DataError, match=r"x\.zip/a\.csv:4: byte 0xe9") as said:
        load_rows(FileSource(kind="file", path="x.zip"), scratch)
    assert "scratch" not in str(said.value)
    assert texts(FileSource(kind="file", path="x.zip", encoding="cp1252"), scratch)[2] == "café"


def test_what_a_killed_run_unpacked_is_in_nobodys_way(folder: Path, scratch: Path) -> None:
    save(folder, "x.zip", zipped(("a.csv", ROWS)))
    (scratch / "unpacked" / "0").mkdir(parents=True)
    save(scratch / "unpacked" / "0", "0", b"half")
    assert texts(FileSource(kind="file", path="x.zip"), scratch) == ["a film", "no film"]


def test_a_licence_inside_is_recorded(folder: Path, scratch: Path) -> None:
    save(folder, "x.tar", tarred(("d/LICENSE.txt", b"\n  MIT License \nmore"), ("d/a.csv", ROWS)))
    intake = Intake(scratch)
    read_source(FileSource(kind="file", path="x.tar"), intake)
    assert intake.licence == {"file": "d/LICENSE.txt", "says": "MIT License"}
    about = intake.provenance("file", 2)
    assert [file["name"] for file in about["files"]] == ["x.tar", "d/a.csv"]
    assert about["files"][1]["sha256"] == sha256(ROWS) and about["where"] == "x.tar"


def test_an_archive_by_address_is_resumed_and_read(
    folder: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.01)
    data = zipped(("a.csv", ROWS), ("b.bin", os.urandom(9000)))
    hub = Hub()
    try:
        hub.files["/x.zip"] = data
        hub.fault("GET", cut=5000)
        hub.fault("GET", status=503)
        source = UrlSource(kind="url", url=f"{hub.url}/x.zip?signed=yes", sha256=sha256(data))
        assert texts(source, scratch) == ["a film", "no film"]
        assert hub.seen() == ["GET /x.zip", "GET /x.zip bytes=5000-", "GET /x.zip bytes=5000-"]
        hub.files["/up.tgz"] = bad = gzip.compress(tarred(("../a.csv", ROWS)))
        for kind in (
            UrlSource(kind="url", url=f"{hub.url}/up.tgz", sha256=sha256(bad)),
            ImagesSource(kind="images", url=f"{hub.url}/up.tgz", sha256=sha256(bad)),
        ):
            with pytest.raises(DataError, match=r"^http://127\.0\.0\.1:\d+/up\.tgz: '\.\./a\.csv' in the archive"):
                read_source(kind, Intake(scratch))
        hub.files["/a.csv.gz"] = single = gzip.compress(ROWS)
        source = UrlSource(kind="url", url=f"{hub.url}/a.csv.gz", sha256=sha256(single))
        assert texts(source, scratch) == ["a film", "no film"]
    finally:
        hub.stop()
