"""A compressed file -> its bytes, every one of them: what Python's own readers take for the end in silence is damage.

`bz2` and `lzma` leave out whatever stands behind a stream and cannot be unpacked, such as a second half that rotted.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any, Protocol

BLOCK = 2**20
STARTS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": lambda: _Deflated(),
    b"\xfd7": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
    b"BZ": bz2.BZ2Decompressor,
}
"""First two bytes to a decompressor of one stream."""


class Readable(Protocol):
    """What gives bytes."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes, none at the end."""


def unpacked(raw: IO[bytes]) -> Readable:
    """The bytes that a file of gzip, xz or bzip2 holds; of any other file its own.

    Reading raises EOFError, OSError, zlib.error or lzma.LZMAError where the file is cut off or damaged.
    """
    start = STARTS.get(raw.read(2))
    raw.seek(0)
    return raw if start is None else _Streams(raw, start)


class _Deflated:
    """zlib's object with the interface of the other two."""

    def __init__(self) -> None:
        self.stream = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, size: int) -> bytes:
        return self.stream.decompress(self.stream.unconsumed_tail + data, size)

    @property
    def needs_input(self) -> bool:
        return not self.stream.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self.stream.eof

    @property
    def unused_data(self) -> bytes:
        return self.stream.unused_data


class _Streams:
    """Compressed streams, one behind the other, with zeros between them and behind."""

    def __init__(self, raw: IO[bytes], start: Callable[[], Any]) -> None:
        self.raw, self.start, self.stream = raw, start, start()
        self.waiting = b""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""
        while True:
            if self.stream.eof and not self._next_stream():
                return b""
            data, self.waiting = self.waiting, b""
            if not data and self.stream.needs_input:
                data = self.raw.read(BLOCK)
                if not data:
                    raise EOFError("cut off")
            if block := self.stream.decompress(data, size):
                return bytes(block)

    def _next_stream(self) -> bool:
        """Whether anything but zeros follows; it must be a stream."""
        rest = self.stream.unused_data.lstrip(b"\0")
        while not rest:
            if not (rest := self.raw.read(BLOCK)):
                return False
            rest = rest.lstrip(b"\0")
        self.stream, self.waiting = self.start(), rest
        return True
