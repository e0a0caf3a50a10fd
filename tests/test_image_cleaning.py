"""Bad images end in the ledger with their cause and good ones stay; modes, sizes and images that look alike."""

import hashlib
import io
import json
import os
import sys
import warnings
import zipfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from configs import cleaning as steps
from configs.cleaning import Clean
from configs.expectations import Validate
from configs.image_sources import ImagesSource
from tasks.clean import clean
from tasks.data.cleaning import image_checks
from tasks.data.cleaning.perceptual_hashes import alike
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.cleaning.report import Cleaned, describe
from tasks.data.errors import DataError
from tasks.data.ledger import conserve, read_ledger
from tasks.data.rows import read_rows, with_ids
from tasks.data.sources import image_bytes
from tasks.download import download
from tasks.output import new_output
from tasks.validate import validate

RNG = np.random.default_rng(0)
UNREADABLE = steps.Unreadable(kind="unreadable")


def noise(*shape: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 255, shape, dtype=np.uint8))


def smooth(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture with large shapes, as photographs have them."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 9, 3), dtype=np.uint8)).resize(size, 3)


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def good() -> dict[str, bytes]:
    """One of everything that is readable, some under a wrong name."""
    photo, frames = noise(48, 64, 3), [noise(40, 40).convert("P") for _ in range(3)]
    return {
        "photo.jpg": encoded(photo, "JPEG"),
        "photo.png": encoded(photo, "PNG"),
        "photo.gif": encoded(photo, "GIF"),
        "photo.bmp": encoded(photo, "BMP"),
        "photo.webp": encoded(photo, "WEBP"),
        "photo.tiff": encoded(photo, "TIFF"),
        "photo.ppm": encoded(photo, "PPM"),
        "grey.png": encoded(noise(30, 30), "PNG"),
        "ink.jpg": encoded(noise(30, 30, 4).convert("CMYK"), "JPEG"),
        "glass.png": encoded(noise(30, 30, 4), "PNG"),
        "deep.png": encoded(Image.fromarray(RNG.integers(0, 65535, (30, 30), dtype=np.uint16)), "PNG"),
        "film.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "dot.png": encoded(noise(1, 1, 3), "PNG"),
        "a png.jpg": encoded(noise(20, 20, 3), "PNG"),
        "progressive.jpg": encoded(photo, "JPEG", progressive=True),
        "icon.ico": encoded(photo, "ICO"),
    }


def bad() -> dict[str, tuple[bytes, str]]:
    """Twenty images that cannot be read, and the cause that is to be told."""
    whole = good()
    flipped = bytearray(whole["photo.png"])
    flipped[len(flipped) // 2] ^= 0xFF
    pages = encoded(Image.new("1", (20_000, 20_000)), "PNG")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as handle:
        handle.writestr("a.png", whole["photo.png"])
    return {
        "empty.jpg": (b"", "empty"),
        "half.jpg": (whole["photo.jpg"][: len(whole["photo.jpg"]) // 2], "truncated"),
        "last two bytes.jpg": (whole["photo.jpg"][:-2], "truncated"),
        "half progressive.jpg": (whole["progressive.jpg"][: len(whole["progressive.jpg"]) // 2], "truncated"),
        "half.png": (whole["photo.png"][: len(whole["photo.png"]) // 2], "truncated"),
        "tail.png": (whole["photo.png"][:-40], "truncated"),
        "half.gif": (whole["photo.gif"][: len(whole["photo.gif"]) // 2], "truncated"),
        "second frame.gif": (whole["film.gif"][:-1200], "truncated"),
        "half.bmp": (whole["photo.bmp"][:5000], "truncated"),
        "half.webp": (whole["photo.webp"][:1000], "damaged"),
        "half.tiff": (whole["photo.tiff"][:3000], "truncated"),
        "half.ppm": (whole["photo.ppm"][:3000], "truncated"),
        "flipped.png": (bytes(flipped), "damaged"),
        "bomb.png": (pages, "too many pixels"),
        "large.png": (encoded(Image.new("1", (10_000, 10_000)), "PNG"), "too many pixels"),
        "text.jpg": (b"not an image at all", "not an image"),
        "error page.png": (b"<!DOCTYPE html><html>404</html>", "not an image"),
        "zeros.jpg": (b"\0" * 4096, "not an image"),
        "archive.png": (archive.getvalue(), "not an image"),
        "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", "not an image"),
    }


def stored(folder: Path, files: dict[str, bytes], *, group: int = 4) -> tuple[pd.DataFrame, Path]:
    """Rows and images.parquet of files; the label is alternating."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    data = dict(sorted((digests[name], files[name]) for name in files))
    schema = pa.schema([("image", pa.string()), ("bytes", pa.binary())])
    path = folder / "images.parquet"
    pq.write_table(
        pa.table([list(data), list(data.values())], schema=schema), path, row_group_size=group, compression="none"
    )
    labels = ["ant" if n % 2 else "bee" for n in range(len(files))]
    rows = pd.DataFrame({"image": list(digests.values()), "file": list(files), "label": labels, "split": None})
    return with_ids(rows.astype("str").where(rows.notna())), path


def cleaned(rows: pd.DataFrame, path: Path, *chosen: object) -> Cleaned:
    found = clean_rows(rows, Clean(steps=chosen or None), path)  # type: ignore[arg-type]
    conserve(rows["id"], found.rows["id"], found.dropped)
    return found


def reasons(rows: pd.DataFrame, path: Path, *chosen: object) -> dict[str, str]:
    """File of each dropped row to its reason."""
    dropped = cleaned(rows, path, *chosen).dropped
    return dict(zip(rows.set_index("id")["file"][dropped["id"]], dropped["reason"], strict=True))


def test_bad_images_leave_with_their_cause_and_good_ones_stay(tmp_path: Path) -> None:
    broken = bad()
    assert len(broken) == 20
    rows, path = stored(tmp_path, good() | {name: data for name, (data, _) in broken.items()})
    assert reasons(rows, path, UNREADABLE) == {name: f"unreadable: {cause}" for name, (_, cause) in broken.items()}


def test_a_fault_of_the_decoder_itself_carries_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, path = stored(tmp_path, {"a.png": encoded(noise(9, 9), "PNG")})
    monkeypatch.setattr(image_bytes, "formats", lambda: ("NONE",))
    assert reasons(rows, path, UNREADABLE) == {"a.png": "unreadable: damaged (KeyError)"}


def test_modes_and_sizes(tmp_path: Path) -> None:
    files = good() | {"empty.jpg": b"", "page.jpg": b"<html>"}
    rows, path = stored(tmp_path, files)
    odd = {"empty.jpg": "unreadable: empty", "page.jpg": "unreadable: not an image"}
    found = reasons(rows, path, steps.Mode(kind="mode"))
    assert found == odd | {
        "ink.jpg": "mode: CMYK",
        "glass.png": "mode: RGBA",
        "deep.png": "mode: I;16",
        "photo.gif": "mode: P",
        "film.gif": "mode: P",
    }
    assert reasons(rows, path, steps.Size(kind="size", min_side=21)) == odd | {
        "dot.png": "too small",
        "a png.jpg": "too small",
    }
    assert "a png.jpg" not in reasons(rows, path, steps.Size(kind="size", min_side=20))


def test_images_that_look_alike_name_the_first(tmp_path: Path) -> None:
    files = {}
    for seed in range(12):
        picture = smooth(seed)
        files[f"{seed}.png"] = encoded(picture, "PNG")
        if seed % 2:
            files[f"{seed} smaller.jpg"] = encoded(picture.resize((72, 48)), "JPEG", quality=70)
            files[f"{seed} brighter.png"] = encoded(picture.point(lambda value: min(value + 9, 255)), "PNG")
    files["cut.png"] = files["0.png"][:-60]
    rows, path = stored(tmp_path, files)
    found = cleaned(rows, path, steps.PerceptualDuplicates(kind="perceptual_duplicates", distance=4))
    names = rows.set_index("id")["file"]
    pairs = dict(zip(names[found.dropped["id"]], found.dropped["other"].map(names).fillna(""), strict=True))
    assert pairs.pop("cut.png") == ""
    assert pairs == {
        f"{seed} {how}": f"{seed}.png" for seed in range(1, 12, 2) for how in ("smaller.jpg", "brighter.png")
    }
    assert set(found.dropped["reason"]) == {"looks like another image", "unreadable: truncated"}
    held_out = rows.assign(split=["test" if "smaller" in name else "train" for name in rows["file"]])
    kept = cleaned(held_out, path, steps.PerceptualDuplicates(kind="perceptual_duplicates", distance=4)).rows["file"]
    assert {"1 smaller.jpg", "11 smaller.jpg"} <= set(kept) and "1.png" not in set(kept)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=30),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 2**64 - 1)), max_size=30),
    st.integers(0, 8),
)
def test_pairs_are_those_of_a_comparison_of_all_with_all(
    plain: list[int], moved: list[tuple[int, int]], distance: int
) -> None:
    near = [plain[at % len(plain)] ^ (mask & mask >> 7 & mask << 9 & mask >> 20) % 2**64 for at, mask in moved if plain]
    hashes = list(dict.fromkeys(plain + near))
    found = alike(np.array(hashes, np.uint64), distance)
    expected = [
        (a, b) for a, b in combinations(range(len(hashes)), 2) if (hashes[a] ^ hashes[b]).bit_count() <= distance
    ]
    assert list(zip(found["first"], found["second"], strict=True)) == expected


def test_steps_for_texts_do_not_fit_images_and_the_others_do(tmp_path: Path) -> None:
    rows, path = stored(tmp_path, good())
    with pytest.raises(DataError, match="has lowercase, length, for texts, but the recipe is about images"):
        cleaned(rows, path, steps.Lowercase(kind="lowercase"), steps.Length(kind="length"))
    twice = pd.concat(
        [rows, rows.head(1).assign(label="ant", id="x-0"), rows.head(2).assign(id=["y-0", "z-0"])], ignore_index=True
    )
    gone = cleaned(
        twice, path, steps.Contradictions(kind="contradictions"), steps.Duplicates(kind="duplicates")
    ).dropped
    assert gone["reason"].value_counts().to_dict() == {"contradictory label": 3, "duplicate": 1}


def test_an_image_that_is_not_in_the_file_is_a_fault(tmp_path: Path) -> None:
    rows, path = stored(tmp_path, good())
    with pytest.raises(DataError, match="1 images are missing"):
        cleaned(rows.assign(image=rows["image"].where(rows.index > 0, "0" * 64)), path)


def test_rows_without_an_image_are_missing_and_nothing_else(tmp_path: Path) -> None:
    rows, path = stored(tmp_path, good())
    rows = rows.assign(image=rows["image"].where(rows.index > 0))
    keep = ("RGB", "L", "P", "RGBA", "CMYK", "I;16")
    alike_step = steps.PerceptualDuplicates(kind="perceptual_duplicates", distance=0)
    missing = steps.Missing(kind="missing")
    found = cleaned(rows, path, steps.Mode(kind="mode", keep=keep), UNREADABLE, alike_step, missing)
    assert rows["id"][0] in found.dropped.loc[found.dropped["reason"] == "missing image", "id"].tolist()


def test_an_absent_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, path = stored(tmp_path, good())
    monkeypatch.setitem(sys.modules, "imagehash", None)
    with pytest.raises(DataError, match=r"needs the package imagehash: pip install 'temper\[clean\]'"):
        cleaned(rows, path, steps.PerceptualDuplicates(kind="perceptual_duplicates"))
    assert len(cleaned(rows, path).rows) == len(rows)


def test_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, path = stored(tmp_path, good() | {name: data for name, (data, _) in bad().items() if len(data) < 10**5})
    seen = []
    for threads in ("1", "4"):
        monkeypatch.setenv("TEMPER_THREADS", threads)
        seen.append(
            image_checks.inspect(
                path, rows["image"], (UNREADABLE, steps.PerceptualDuplicates(kind="perceptual_duplicates"))
            )
        )
    pd.testing.assert_frame_equal(*seen)
    assert ("error", None, Image.DecompressionBombWarning, None, 0) not in warnings.filters


def test_the_stage_hands_the_images_on(tmp_path: Path) -> None:
    for label in ("ants", "bees"):
        folder = tmp_path / "data" / "insects" / label
        folder.mkdir(parents=True)
        for n in range(6):
            (folder / f"{n}.png").write_bytes(encoded(noise(20, 20, 3), "PNG"))
    (tmp_path / "data" / "insects" / "ants" / "cut.png").write_bytes(encoded(noise(20, 20, 3), "PNG")[:600])
    raw = download.run_or_load(ImagesSource(kind="images", path="insects"), {}).result
    checked = validate.run_or_load(Validate(min_rows=1), {"raw": raw}).result
    done = clean.run_or_load(Clean(), {"checked": checked}).result
    before, after = (artifact.path / "data" / "images.parquet" for artifact in (checked, done))
    assert os.path.samefile(before, after)
    ledger = read_ledger(done.path / "data" / "ledger.parquet")
    assert ledger.loc[ledger["state"] == "dropped", "reason"].tolist() == ["unreadable: truncated"]
    assert "image" in read_rows(done.path / "data" / "rows.parquet")
    page = (done.path / "records" / "summary.md").read_text()
    assert "12 of 13 rows kept" in page and "`ants/cut.png`" in page
    steps_done = json.loads((done.path / "records" / "steps.json").read_text())
    assert [line["step"] for line in steps_done] == ["unreadable", "missing", "duplicates"]
    assert clean.run_or_load(Clean(), {"checked": checked}).status == "cached"


def test_a_file_is_copied_where_it_cannot_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images.parquet").write_bytes(b"bytes")
    out = new_output(tmp_path / "artifact")

    def no_links(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    out.forward(tmp_path / "images.parquet")
    assert (out.data / "images.parquet").read_bytes() == b"bytes"
    assert not os.path.samefile(tmp_path / "images.parquet", out.data / "images.parquet")


def test_real_photographs_stay(datasets: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(datasets / "hymenoptera" / "hymenoptera_data.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith((".jpg", ".jpeg")) and "/val/" in name][:60]
        rows, path = stored(tmp_path, {name: archive.read(name) for name in names}, group=16)
    found = cleaned(
        rows,
        path,
        UNREADABLE,
        steps.Mode(kind="mode"),
        steps.Size(kind="size"),
        steps.PerceptualDuplicates(kind="perceptual_duplicates"),
    )
    assert len(found.rows) == 60
    assert "60 of 60 rows kept" in describe(found)
