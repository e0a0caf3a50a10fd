"""A file by URL: https to public addresses only, resumed, retried, and refused unless its sha256 is right."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from ..errors import DataError
from .addresses import checked_addresses

ATTEMPTS = 4
FIRST_WAIT = 0.5
"""Seconds before the second attempt; doubled before each further one."""
REDIRECTS = 5
TELL_EVERY = 2**20
"""Bytes between two signs of progress."""


@dataclass(frozen=True)
class Terms:
    """On what terms a file is fetched: a bearer token for its host alone, the most bytes, and who hears of progress."""

    token: str | None = field(default=None, repr=False)
    largest: int = 20 * 2**30
    progress: Callable[[int, int, str], None] = lambda *_: None


def download_file(
    url: str, sha256: str, folder: Path, *, allow_private: bool = False, terms: Terms | None = None
) -> Path:
    """Download `url` into `folder` under its checksum (`sha256`, its first digits, or "" where it is not known yet,
    and the file is called `file`); a file that is there is used.

    Raises DataError for a blocked address, an answer that does not get better, too many bytes, or other bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / (sha256 or "file"), folder / f"{sha256 or 'file'}.part"
    if target.is_file() and _sha256(target).startswith(sha256):
        return target
    for attempt in range(ATTEMPTS):
        try:
            _transfer(url, part, allow_private, terms or Terms())
            break
        except httpx.InvalidURL as error:
            raise DataError(f"{shown(url)}: not an address ({error})") from None
        except httpx.HTTPError as error:
            answer = error.response if isinstance(error, httpx.HTTPStatusError) else None
            status = answer.status_code if answer else 503
            if (status < 500 and status != 429) or attempt == ATTEMPTS - 1:
                status_line = f"{status} {answer.reason_phrase}" if answer else str(error)
                raise DataError(f"{shown(url)}: {(status_line.splitlines() or [type(error).__name__])[0]}") from None
            time.sleep(FIRST_WAIT * 2**attempt)
    digest = _sha256(part)
    if not digest.startswith(sha256):
        part.unlink()
        raise DataError(f"{shown(url)}: sha256 is {digest}, not {sha256} as it should be; nothing was kept")
    part.rename(target)
    return target


def shown(url: str) -> str:
    """An address without what may be secret in it: name, password, query."""
    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return url.partition("?")[0].rpartition("@")[2]


def _transfer(url: str, part: Path, allow_private: bool, terms: Terms) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    if terms.token is not None:
        headers["Authorization"] = f"Bearer {terms.token}"
    with httpx.Client(follow_redirects=False, timeout=30) as client:
        for _ in range(REDIRECTS):
            with closing(_ask(client, url, headers, checked_addresses(url, allow_private))) as answer:
                if answer.has_redirect_location:
                    before, url = url, _target(url, answer.headers["location"])
                    if urlsplit(url)[:2] != urlsplit(before)[:2]:
                        headers.pop("Authorization", None)  # and it does not come back, wherever the way leads
                    continue
                if answer.status_code == 416:  # everything is here already
                    return
                answer.raise_for_status()
                _save(answer, url, part, have if answer.status_code == 206 else 0, terms)
                return
    raise DataError(f"{shown(url)}: more than {REDIRECTS} redirects")


def _ask(client: httpx.Client, url: str, headers: Mapping[str, str], addresses: Sequence[str]) -> httpx.Response:
    """The beginning of the response from the first address that answers; by the name itself where there is none.

    The name is not looked up again, since it may have another address by then (DNS rebinding); it stays the Host that
    is asked for, and the one that the certificate must be of.
    """
    name = httpx.URL(url)
    for left, address in zip(range(len(addresses))[::-1], addresses, strict=True):
        own = {**headers, "Host": name.netloc.decode("ascii")}
        request = client.build_request(
            "GET", name.copy_with(host=address), headers=own, extensions={"sni_hostname": name.raw_host.decode("ascii")}
        )
        try:
            return client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if not left:
                raise
    return client.send(client.build_request("GET", name, headers=dict(headers)), stream=True)


def _save(answer: httpx.Response, url: str, part: Path, have: int, terms: Terms) -> None:
    length = answer.headers.get("content-length", "")
    total = have + int(length) if length.isdigit() else 0
    done, reported = have, have
    with part.open("ab" if have else "wb") as handle:
        for block in answer.iter_bytes() if total <= terms.largest else ():
            done += len(block)
            if done > terms.largest:
                break
            handle.write(block)
            if done - reported >= TELL_EVERY or done == total:
                terms.progress(done, total, "downloading")
                reported = done
    if max(done, total) > terms.largest:
        part.unlink()
        raise DataError(
            f"{shown(url)}: {max(done, total):,} bytes or more, beyond the limit of {terms.largest:,} "
            "that TEMPER_LARGEST_SOURCE sets; nothing was kept"
        )


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise DataError(f"{shown(url)}: leads to what is not an address ({error})") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
