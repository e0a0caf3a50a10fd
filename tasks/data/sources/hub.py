"""The Hugging Face Hub: names and revisions in, verified files at a commit out."""

import contextvars
import hashlib
import io
import os
import re
import threading
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from ..errors import DataError

Kind = Literal["dataset", "model"]
COMMIT = re.compile(r"^[0-9a-f]{40}$")
PACKED = ("*.csv.gz", "*.tsv.gz", "*.jsonl.gz", "*.json.gz", "*.txt.gz")
IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
PICTURES = (*(f"*{ending}" for ending in IMAGES), "*.JPG", "*.JPEG", "*.PNG")
DATA_FILES = ("*.parquet", "*.arrow", "*.csv", "*.tsv", "*.jsonl", "*.json", "*.txt", *PACKED, "README.md")
TOKENIZER_FILES = (
    "tokenizer*.json",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "config.json",
    "*.model",
    "added_tokens.json",
    "chat_template*",
    "additional_chat_templates/*.jinja",
)
MODEL_FILES = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json")
ATTEMPTS = 4
FIRST_WAIT = 0.5
"""Seconds before the second attempt; doubled before each further one."""
TIMEOUT = 30
"""Seconds without an answer after which an attempt has failed; huggingface_hub would wait for ever."""
OFFLINE = "HF_HUB_OFFLINE is set and the files are not all here; unset it, or fetch them once where there is a network"
T = TypeVar("T")
Progress = Callable[[int, int, str], None]
"""Takes how much is done, of how much, and what is being done."""


def offline() -> bool:
    """Whether the environment forbids requests, read as huggingface_hub reads it."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in ("1", "ON", "YES", "TRUE")


def resolve(repo: str, revision: str, kind: Kind, token: str | None = None) -> str:
    """The commit that a branch or tag stands for now. Raises DataError where the Hub does not know it."""
    if COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi

    what = f"{kind} {repo}@{revision}"
    info = _patiently(
        lambda: HfApi(token=token).repo_info(repo, revision=revision, repo_type=kind, timeout=TIMEOUT), what
    )
    if not COMMIT.fullmatch(info.sha or ""):
        raise DataError(f"{what}: the Hub names no commit")
    return str(info.sha)


class Snapshot(NamedTuple):
    """A repository of the Hub at a commit."""

    repo: str
    commit: str
    kind: Kind


def fetch(
    snapshot: Snapshot,
    patterns: tuple[str, ...],
    *,
    token: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download a repository's files at a commit, those that are not here yet, and verify every one.

    `token` is one for this repository; without it huggingface_hub's own is used. `progress` hears of the bytes.

    Returns the folder. Raises DataError where a file is absent, cut or has other bytes than the Hub names
    (sha256 for large files, git's blob hash for the rest).
    """
    from huggingface_hub import snapshot_download

    repo, commit, kind = snapshot
    what = f"{kind} {repo}@{commit[:8]}"
    promised = _patiently(lambda: _promised(snapshot, token), what)
    wanted = [name for name in promised if any(fnmatch(name, pattern) for pattern in patterns)]
    if not wanted:
        raise DataError(f"{what}: no file fits {', '.join(patterns)}")
    options: dict[str, Any] = {"repo_type": kind, "allow_patterns": list(patterns), "max_workers": 4, "token": token}
    if progress is not None:
        options["tqdm_class"] = _bar(progress)
    folder = Path(_patiently(lambda: snapshot_download(repo, revision=commit, **options), what))
    for name in wanted:
        path = folder / name
        if not path.is_file():  # snapshot_download returns what another tool left where the Hub gives no list
            raise DataError(f"{what}: {name} is absent; run again to fetch it")
        _verify(path, promised[name] or path.resolve().name, what)
    return folder


def _bar(progress: Progress) -> Any:
    """A bar for huggingface_hub that draws nothing and reports bytes, as of the thread that made it."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    here, one_at_a_time = contextvars.copy_context(), threading.Lock()

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            drawn: bool | None = super().update(n)
            if self.unit == "B" and self.total:
                with one_at_a_time:
                    here.run(progress, int(self.n), int(self.total), "downloading")
            return drawn

    return Bar


def _promised(snapshot: Snapshot, token: str | None) -> dict[str, str | None]:
    """The digest of each file as the Hub names it; None offline, where the cache names its files by digest."""
    from huggingface_hub import HfApi, get_cached_repo_tree

    repo, commit, kind = snapshot
    if offline():
        return {file.path: None for file in get_cached_repo_tree(repo, revision=commit, repo_type=kind)}
    api = HfApi(token=token)
    info = api.repo_info(repo, revision=commit, repo_type=kind, files_metadata=True, timeout=TIMEOUT)
    return {
        file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in getattr(info, "siblings", None) or []
    }


def _verify(path: Path, digest: str, what: str) -> None:
    """`digest` is a sha256 (64 digits) or git's blob hash (40); anything else fits no file."""
    if len(digest) == 64:
        with path.open("rb") as handle:
            right = hashlib.file_digest(handle, "sha256").hexdigest() == digest
    else:
        data = path.read_bytes()
        right = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == digest
    if not right:
        real = path.resolve()
        path.unlink()
        real.unlink(missing_ok=True)
        raise DataError(f"{what}: {path.name} has a wrong checksum and was removed; run again to fetch it again")


def _patiently(call: Callable[[], T], what: str) -> T:
    """Try again, with back-off, after errors that pass; name the rest. Raises DataError."""
    import httpx2
    from huggingface_hub import errors

    for attempt in range(ATTEMPTS):
        try:
            return call()
        except errors.RepositoryNotFoundError:
            raise DataError(
                f"{what}: not on the Hub, or private; check the name or log in with `hf auth login`"
            ) from None
        except errors.RevisionNotFoundError:
            raise DataError(f"{what}: the Hub has no such revision; check `revision`") from None
        except (errors.OfflineModeIsEnabled, errors.CachedRepoTreeNotFoundError):
            raise DataError(f"{what}: {OFFLINE}") from None
        except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
            if offline():
                raise DataError(f"{what}: {OFFLINE}") from None
            response = getattr(error, "response", None)
            final = response is not None and response.status_code < 500 and response.status_code != 429
            if final or attempt == ATTEMPTS - 1:
                raise DataError(f"{what}: {_first_line(error)}") from None
            time.sleep(FIRST_WAIT * 2**attempt)
        except ValueError as error:  # a name that no repository has, a file that leads outside, no JSON
            raise DataError(f"{what}: {_first_line(error)}") from None
    raise AssertionError("unreachable")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
