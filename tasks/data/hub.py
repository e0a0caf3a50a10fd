"""The Hugging Face Hub: names and revisions in, verified files at a commit out."""

import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from .tables import DataError

Kind = Literal["dataset", "model"]
COMMIT = re.compile(r"^[0-9a-f]{40}$")
DATA_FILES = ("*.parquet", "*.csv", "*.tsv", "*.jsonl", "*.json", "*.txt", "README.md")
TOKENIZER_FILES = ("tokenizer*.json", "vocab*", "merges.txt", "special_tokens_map.json", "config.json",
                   "*.model", "added_tokens.json", "chat_template*")  # fmt: skip
MODEL_FILES = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json")
ATTEMPTS = 4
FIRST_WAIT = 0.5
"""Seconds before the second attempt; doubled before each further one."""
T = TypeVar("T")


def offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids requests."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def resolve(repo: str, revision: str, kind: Kind) -> str:
    """The commit that a branch or tag stands for now. Raises DataError where the Hub does not know it."""
    if COMMIT.match(revision):
        return revision
    from huggingface_hub import HfApi

    what = f"{kind} {repo}@{revision}"
    info = _patiently(lambda: HfApi().repo_info(repo, revision=revision, repo_type=kind), what)
    if not info.sha:
        raise DataError(f"{what}: the Hub names no commit")
    return str(info.sha)


def fetch(repo: str, commit: str, kind: Kind, patterns: tuple[str, ...]) -> Path:
    """Download a repository's files at a commit, resuming what is half there, and verify every one.

    Returns the folder. Raises DataError where a file is absent, cut or has other bytes than the Hub names
    (sha256 for large files, git's blob hash for the rest).
    """
    from huggingface_hub import HfApi, snapshot_download

    what = f"{kind} {repo}@{commit[:8]}"
    info = _patiently(
        lambda: HfApi().repo_info(repo, revision=commit, repo_type=kind, files_metadata=True), what
    )
    folder = Path(
        _patiently(
            lambda: snapshot_download(
                repo, revision=commit, repo_type=kind, allow_patterns=list(patterns), max_workers=4
            ),
            what,
        )
    )
    found = 0
    for entry in info.siblings or []:
        path = folder / entry.rfilename
        if path.is_file():
            found += 1
            _verify(path, entry.lfs.sha256 if entry.lfs else None, entry.blob_id, what)
    if not found:
        raise DataError(f"{what}: no file fits {', '.join(patterns)}")
    return folder


def _verify(path: Path, sha256: str | None, blob: str | None, what: str) -> None:
    if sha256:
        with path.open("rb") as handle:
            right = hashlib.file_digest(handle, "sha256").hexdigest() == sha256
    else:
        data = path.read_bytes()
        right = blob is None or hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == blob
    if not right:
        real = path.resolve()
        path.unlink()
        real.unlink(missing_ok=True)
        raise DataError(f"{what}: {path.name} has a wrong checksum and was removed; run again to fetch it anew")


def _patiently(call: Callable[[], T], what: str) -> T:
    """Try again, with back-off, after errors that pass; name the rest. Raises DataError."""
    import httpx2
    from huggingface_hub import errors

    for attempt in range(ATTEMPTS):
        try:
            return call()
        except errors.RepositoryNotFoundError:
            raise DataError(f"{what}: not on the Hub, or private; check the name or log in with `hf auth login`") from None
        except errors.RevisionNotFoundError:
            raise DataError(f"{what}: the Hub has no such revision; check `revision`") from None
        except errors.OfflineModeIsEnabled:
            raise DataError(f"{what}: HF_HUB_OFFLINE is set and the files are not all here") from None
        except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
            response = getattr(error, "response", None)
            final = response is not None and response.status_code < 500 and response.status_code != 429
            if final or attempt == ATTEMPTS - 1:
                raise DataError(f"{what}: {str(error).strip().splitlines()[0]}") from None
            time.sleep(FIRST_WAIT * 2**attempt)
    raise AssertionError("unreachable")
