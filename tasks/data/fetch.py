"""A file by URL: https to public addresses only, resumed, retried, and refused unless its sha256 is right."""

import hashlib
import ipaddress
import socket
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from .files import DataError

ATTEMPTS = 4
FIRST_WAIT = 0.5
"""Seconds before the second attempt; doubled before each further one."""
REDIRECTS = 5


def download_file(url: str, sha256: str, folder: Path, *, allow_private: bool = False) -> Path:
    """Download `url` into `folder` under its checksum; a file that is there already is used.

    Raises DataError for a blocked address, an answer that does not get better, or other bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / sha256, folder / f"{sha256}.part"
    if target.is_file() and _sha256(target) == sha256:
        return target
    for attempt in range(ATTEMPTS):
        try:
            _transfer(url, part, allow_private)
            break
        except httpx.InvalidURL as error:
            raise DataError(f"{url}: not an address ({error})") from None
        except httpx.HTTPError as error:
            status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else 503
            if (status < 500 and status != 429) or attempt == ATTEMPTS - 1:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise DataError(f"{url}: {reason}") from None
            time.sleep(FIRST_WAIT * 2**attempt)
    found = _sha256(part)
    if found != sha256:
        part.unlink()
        raise DataError(f"{url}: sha256 is {found}, the recipe says {sha256}; nothing was kept")
    part.rename(target)
    return target


def _transfer(url: str, part: Path, allow_private: bool) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
    with httpx.Client(follow_redirects=False, timeout=30) as client:
        for _ in range(REDIRECTS):
            check_address(url, allow_private)
            with client.stream("GET", url, headers=headers) as answer:
                if answer.has_redirect_location:
                    url = urljoin(url, answer.headers["location"])
                    continue
                if answer.status_code == 416:  # everything is here already
                    return
                answer.raise_for_status()
                with part.open("ab" if answer.status_code == 206 else "wb") as handle:
                    for block in answer.iter_bytes():
                        handle.write(block)
                return
    raise DataError(f"{url}: more than {REDIRECTS} redirects")


def check_address(url: str, allow_private: bool) -> None:
    """Raise DataError unless the address is https and public (or the setting allows more).

    Raises httpx.ConnectError where the name has no address, which may pass.
    """
    parts = urlsplit(url)
    if allow_private and parts.scheme in ("http", "https"):
        return
    if parts.scheme != "https" or parts.hostname is None:
        raise DataError(f"{url}: only https addresses are fetched")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443)
    except ValueError as error:
        raise DataError(f"{url}: not an address ({error})") from None
    except OSError as error:
        raise httpx.ConnectError(f"{parts.hostname} has no address ({error})") from None
    for info in found:
        if not ipaddress.ip_address(info[4][0]).is_global:
            raise DataError(f"{url}: {parts.hostname} is not a public address")


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
