"""The clients of a server to which something happens, all kinds of them beside each other.

    keep-alive            connections in a closed loop
    one request each      a connection for each request
    downloads             large files at a limited rate, again and again
    half heads            in the midst of a request head while it happens

Owns how many of each, and what they ask for; the server has a folder with the same files, or answers as if.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from gossamer.core.entropy import system_entropy
from gossamer.core.wire.flow import Address
from gossamer.loadtest.half_heads import HalfHeads
from gossamer.loadtest.met import Met
from gossamer.loadtest.one_request import OneRequestClients, Wanted
from gossamer.loadtest.steady import SteadyClients

BODY: Final = b"hello\n"
INDEX: Final = "index.html"
BULK: Final = "bulk"
PAUSE_S: Final = 0.1
"""Between an answer and a client's next request."""
BULK_RATE: Final = 1 << 20
"""Octets a second of each download."""
HALF_HEADS: Final = 6

KEPT: Final = "keep-alive"
ONE_EACH: Final = "one request each"
DOWNLOADS: Final = "downloads"
HALVES: Final = "half heads"
KINDS: Final = (KEPT, ONE_EACH, DOWNLOADS, HALVES)


class CrowdSize(msgspec.Struct, frozen=True):
    """How many of each kind."""

    kept: int
    one_each: int
    downloads: int
    bulk_bytes: int
    """Of the file that is downloaded."""


class ServedFolder(msgspec.Struct, frozen=True):
    """The folder that is served, and what an answer from it must be."""

    folder: Path
    small: Wanted
    bulk: Wanted


def write_site(folder: Path, bulk_bytes: int) -> ServedFolder:
    """Make it. No two places of the large file are alike. Raises: OSError."""
    folder.mkdir()
    (folder / INDEX).write_bytes(BODY)
    octets = system_entropy(bulk_bytes)
    (folder / BULK).write_bytes(octets)
    small = Wanted("/", len(BODY), hashlib.sha256(BODY).digest(), pause_s=PAUSE_S)
    return ServedFolder(
        folder, small, Wanted(f"/{BULK}", bulk_bytes, hashlib.sha256(octets).digest(), BULK_RATE)
    )


class Crowd:
    """All of them, from the beginning of a block until `end`, or its end."""

    def __init__(
        self,
        address: Address,
        size: CrowdSize,
        site: ServedFolder,
        entered: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Connections are made in a place that is entered."""
        self._address = address
        self._entered = entered
        self._halves = Met()
        self._kept = SteadyClients(address, size.kept, PAUSE_S, BODY, entered())
        self._one_each = OneRequestClients(address, size.one_each, site.small, entered)
        self._downloads = OneRequestClients(address, size.downloads, site.bulk, entered)

    def __enter__(self) -> "Crowd":
        for clients in (self._kept, self._one_each, self._downloads):
            clients.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def meet(self, event: Callable[[], None]) -> None:
        """Have it happen while some are in the midst of a head. Raises: OSError, and what it raises."""
        halves = HalfHeads(self._address, HALF_HEADS, BODY, self._entered())
        halves.begin()
        event()
        halves.finish()
        self._halves.add(halves.met)

    def end(self) -> dict[str, Met]:
        """Let what is under way come to its end; what each kind met. Raises: RuntimeError when one hangs."""
        return {
            KEPT: self._kept.end(),
            ONE_EACH: self._one_each.end(),
            DOWNLOADS: self._downloads.end(),
            HALVES: self._halves,
        }
