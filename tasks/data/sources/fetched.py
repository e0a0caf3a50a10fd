"""The address of a file with its checksum in its name -> the file, fetched once and kept below the store."""

from pathlib import Path
from urllib.parse import urlsplit

from configs.settings import settings

from ...artifact import digest_file
from ...store.events import Event, emit
from ...store.lock import locked
from ...store.usage import mark_used

FOLDER = "weights"


def fetch_once(url: str, stage: str) -> Path:
    """The file at `url`, whose name ends in the first digits of its sha256; progress is reported as of `stage`.

    A copy that is there and right is used. A transfer that broke off is resumed, and only a whole file of the right
    bytes gets its name; one process transfers, others wait. Raises DataError.
    """
    from .fetch import Terms, download_file

    limits, name = settings(), Path(urlsplit(url).path).name
    folder, digits = limits.store / FOLDER, name.rpartition("-")[2].partition(".")[0]
    terms = Terms(largest=limits.largest_source, progress=lambda *how: emit(Event(stage, "progress", name, *how[:2])))
    with locked(folder / f"{name}.lock", waiting=lambda: emit(Event(stage, "note", f"{name}: another is at it"))):
        if (folder / name).is_file() and digest_file(folder / name).startswith(digits):
            mark_used(folder / name)
            return folder / name
        fetched = download_file(url, digits, folder, allow_private=limits.allow_private_sources, terms=terms)
        return fetched.rename(folder / name)
