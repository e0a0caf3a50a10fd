"""Pins in a remote store: a file per home that names what this home needs there, so that no other home deletes it."""

import json
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial

from configs.settings import settings

from ..artifact import StageError, canonical, digest_text
from .deadline import each
from .remote import Remote
from .remote_listing import PATIENCE, listing
from .sweep import Catalogue, Key

FOLDER = "pins"
FORMAT = 1


@dataclass(frozen=True)
class Pin:
    """What a home needs. home: machine and folder; keys: stage and key of artifacts; contents: stage and digest of what
    registered versions were made of."""

    home: str
    keys: frozenset[Key]
    contents: frozenset[tuple[str, str]]

    def roots(self, catalogue: Catalogue) -> dict[Key, str]:
        """The pinned artifacts of a store, each with the reason why it is kept."""
        of_contents = {key for content in self.contents for key in catalogue.of_content.get(content, ())}
        return dict.fromkeys(self.keys | of_contents, f"pinned by {self.home}")


def this_home() -> str:
    """What this home is called in its pin."""
    return f"{socket.gethostname()}:{settings().home}"


def pin(remote: Remote, keys: Collection[Key], contents: Collection[tuple[str, str]]) -> None:
    """Replace this home's pin. Raises what the remote raises."""
    home = this_home()
    document = {"format": FORMAT, "home": home, "keys": sorted(keys), "contents": sorted(contents)}
    sealed = canonical({**document, "sha256": digest_text(canonical(document))})
    remote.write(f"{FOLDER}/{digest_text(home)[:16]}.json", sealed.encode())


def pins(remote: Remote) -> Iterator[Pin]:
    """Every home's. Raises StageError for one that cannot be read: what it protects is not known then."""
    names = [name for name in sorted(listing(remote, FOLDER)) if name.endswith(".json")]
    for name, text in zip(names, each([partial(remote.read, name) for name in names], PATIENCE), strict=True):
        if text is not None:
            yield _read(name, text)


def _read(name: str, text: bytes) -> Pin:
    try:
        document = json.loads(text)
        sealed = document.pop("sha256")
        if document["format"] != FORMAT or digest_text(canonical(document)) != sealed:
            raise ValueError(name)
        keys, contents = (frozenset((str(a), str(b)) for a, b in document[part]) for part in ("keys", "contents"))
        return Pin(str(document["home"]), keys, contents)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise StageError(
            f"{name} in the remote store is damaged, so what a home needs there is not known and nothing is deleted; "
            "`temper gc --delete` on that home writes it again; delete it where the home is gone"
        ) from None
