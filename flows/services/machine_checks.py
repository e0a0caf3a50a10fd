"""What this machine has for Temper: findings on packages, settings, databases, disk, network and device."""

import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from configs.secrets import masked
from configs.servers import known
from tasks.store.free_space import existing, free_at
from tasks.store.sizes import in_bytes

from .databases import Finding, State, database

PINS = {
    "fastapi": "with a newer one Prefect 3.8's server cannot start",
    "sqlalchemy": "with a newer one Prefect 3.8 never starts a scheduled run, and does not state it",
}
"""Packages whose bounds no other declares, and what happens beyond them."""
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
GIB = 2**30
LITTLE, TOO_LITTLE = 10, 1  # GiB of free disk space that deserve a remark, and with which a run is likely to fail
PATIENCE = 5.0  # seconds for a server to answer


def examine() -> Iterator[Finding]:
    """Every finding; what cannot even be inspected is broken too."""
    for look in (packages, settings_in_force, databases, disk, remote_store, network, device):
        try:
            yield from look()
        except Exception as error:  # a broken installation may raise anything, and that is what is asked for here
            yield Finding(
                look.__name__, "broken", f"{type(error).__name__}: {(str(error).strip() or '?').splitlines()[0]}"
            )


def packages() -> Iterator[Finding]:
    """Python, the packages with a pin, and the others that pyproject.toml asks for, as they are installed."""
    from packaging.requirements import Requirement

    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding("Python", "ok" if fits else "broken", sys.version.split()[0], "" if fits else "install 3.11 to 3.13")
    fine = []
    for asked in map(Requirement, importlib.metadata.requires("temper") or []):
        if asked.marker and not asked.marker.evaluate({"extra": ""}):
            continue
        fix = f"pip install '{asked.name}{asked.specifier}'"
        try:
            version = importlib.metadata.version(asked.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(asked.name, "broken", "not installed", fix)
            continue
        if not asked.specifier.contains(version, prereleases=True):
            reason = f"; {PINS[asked.name]}" if asked.name in PINS else ""
            yield Finding(asked.name, "broken", f"{version}, has to be {asked.specifier}{reason}", fix)
        elif asked.name in PINS:
            yield Finding(asked.name, "ok", f"{version}, has to be {asked.specifier}")
        else:
            fine.append(f"{asked.name} {version}")
    yield Finding("packages", "ok", ", ".join(fine))


def settings_in_force() -> Iterator[Finding]:
    """Each setting with its value, and whether the environment sets it."""
    import difflib

    from pydantic import ValidationError

    from configs.settings import Settings

    names = {field: f"TEMPER_{field}".upper() for field in Settings.model_fields}
    names["tracking_uri"] = "MLFLOW_TRACKING_URI"
    for name in [name for name in os.environ if name.startswith("TEMPER_") and name not in names.values()]:
        if near := difflib.get_close_matches(name, names.values(), 1, 0.8):
            yield Finding(name, "note", "is no setting", f"did you mean {near[0]}?")
    try:
        now = Settings()
    except ValidationError as error:
        for item in error.errors():
            name = names.get(str(item["loc"][0]), str(item["loc"][0]))
            yield Finding(name, "broken", f"{item['input']!r}: {item['msg']}", f"fix it, or unset {name}")
        return
    if servers := known(now.mlruns):
        yield Finding("temper up", "ok", f"process {servers.pid} keeps {servers.prefect} and {servers.mlflow}")
    places = {"home": now.home.absolute(), "artifacts": now.store}
    shown = {"data": now.source(""), "tracking_uri": masked(now.tracking), "threads": now.threads or "torch's choice"}
    for field, name in names.items():
        value = str(places.get(field) or shown.get(field, getattr(now, field)))
        value += "" if name in os.environ else " (default)"
        above = existing(places.get(field, Path.cwd()))
        writable = field not in places or (above.is_dir() and os.access(above, os.W_OK))
        fix = "" if writable else f"{above} cannot be written in; set {name} to another folder"
        yield Finding(name, "ok" if writable else "broken", value, fix)


def databases() -> Iterator[Finding]:
    """Prefect's and MLflow's databases, where no server keeps them."""
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_API_URL

    from configs.settings import settings

    places = {"Prefect": str(PREFECT_API_DATABASE_CONNECTION_URL.value()), "MLflow": settings().tracking}
    for owner, address in places.items():
        if address.startswith("sqlite") and not (owner == "Prefect" and PREFECT_API_URL.value()):
            yield database(owner, Path(address.partition(":///")[2]))


def disk() -> Iterator[Finding]:
    """Free space where artifacts and downloads go, and what takes the rest."""
    from configs.settings import settings
    from tasks.store.sweep import entries, extent

    place = settings()
    cache = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    held: dict[str, int] = {}
    for entry in entries(place.store):
        held[entry.stage] = held.get(entry.stage, 0) + entry.size
    shares = sorted(held.items(), key=lambda item: item[1], reverse=True)
    inside = ", ".join(f"{stage} {in_bytes(size)}" for stage, size in shares)
    shown = {
        "artifacts": (place.store, sum(held.values()), inside and f" ({inside}); see `temper gc`"),
        "MLflow": (place.mlruns, extent(place.mlruns)[0], ""),
        "Hub downloads": (cache, extent(cache)[0], "; `hf cache` lists and deletes them"),
    }
    for what, (folder, size, more) in shown.items():
        free = free_at(folder) / GIB
        state: State = "broken" if free < TOO_LITTLE else "note" if free < LITTLE else "ok"
        yield Finding(f"disk: {what}", state, f"{free:.0f} GiB free at {folder}, where {in_bytes(size)} lie{more}")


def remote_store() -> Iterator[Finding]:
    """Whether the store that machines share takes a file and returns it."""
    from configs.settings import Settings, without_password
    from tasks.store.remote import open_remote, why

    if not (url := Settings().remote):
        return
    what, address, name = "remote store", without_password(url), f"probes/{os.getpid()}"
    try:
        remote = open_remote(url)
        remote.write(name, b"temper")
        intact = remote.read(name) == b"temper"
        remote.delete(name)
    except Exception as error:  # fsspec's libraries have no error in common
        yield Finding(
            what, "broken", f"{address}: {why(error)}", "runs go on without it; fix it or unset TEMPER_REMOTE"
        )
        return
    fix = "" if intact else "it returns other bytes than were written; what it serves is checked, but nothing is saved"
    yield Finding(what, "ok" if intact else "broken", f"{address} can be read and written", fix)


def network() -> Iterator[Finding]:
    """Switches that forbid requests to the Hub, and whether the servers that are set answer."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    from prefect.settings import PREFECT_API_URL

    set_off = [f"{name}={os.environ[name]}" for name in OFFLINE if os.environ.get(name)]
    yield Finding(
        "offline", "note" if set_off else "ok", ", ".join(set_off) or "no switch is set; the Hub may be asked"
    )
    given = {"PREFECT_API_URL": PREFECT_API_URL.value(), "MLFLOW_TRACKING_URI": os.environ.get("MLFLOW_TRACKING_URI")}
    for name, address in ((name, str(value)) for name, value in given.items() if str(value).startswith("http")):
        address_shown = masked(address)
        try:
            with urlopen(re.sub("//[^/]*@", "//", address).rstrip("/") + "/health", timeout=PATIENCE) as answer:  # noqa: S310
                yield Finding(name, "ok", f"{address_shown} answers {answer.status}")
        except HTTPError as error:
            yield Finding(name, "note", f"{address_shown} answers {error.code}", "check address and login")
        except OSError as error:
            yield Finding(
                name, "broken", f"{address_shown}: {getattr(error, 'reason', error)}", f"start it, or unset {name}"
            )


def device() -> Iterator[Finding]:
    """What torch would train on; torchvision is loaded too, since a pair that does not fit fails only then."""
    import torch
    import torchvision  # noqa: F401

    device_name = "mps" if torch.backends.mps.is_available() else f"cpu, threads: {torch.get_num_threads()}"
    if torch.cuda.is_available():
        device_name = f"cuda, {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    yield Finding("device", "ok", device_name)
