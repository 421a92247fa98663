"""Texts of a batch that leave from where they stand, in memory or in the page cache, without being copied.

Owns which texts do, the stretches that they consist of, and that all of it stays until the batch is sent. The
sink (`ffi.rawout`) copies any other into its arena.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from gossamer.ffi._packet import ffi, lib
from gossamer.ffi.packets import OutText
from gossamer.ffi.windows import WINDOW_BYTES, Windows

PARTS_MAX: Final = lib.TEXT_PARTS_MAX
"""Stretches of a text that leave as they stand; more are copied."""
APART_BYTES_MIN: Final = 8192
"""A shorter text is sooner copied than noted."""
APART_MAX: Final = lib.APART_MAX
"""Stretches of a batch that do."""

Place = tuple[Any, int, int, int]
"""Where a stretch stands: address, length, and of a file its descriptor and where in it."""

NO_FILES: Final[Mapping[int, int]] = MappingProxyType({})
"""Of a sink whose segments bear octets only."""


class TextsApart:
    """Those of one sink, whose `sender` is told of them. Bounds: APART_MAX."""

    def __init__(self, sender: Any) -> None:
        self.descriptors: Mapping[int, int] = NO_FILES
        """Of open files, by their numbers."""
        self.held: list[Any] = []
        """What the batch sends from where it stands; always the same list."""
        self._sender = sender
        self._windows = Windows()

    def is_added(self, text: OutText, record: int) -> bool:
        """Whether a text, that of a record of the batch, will be sent from where it stands."""
        parts = text.parts
        if len(text) < APART_BYTES_MIN or len(self.held) > APART_MAX - PARTS_MAX:
            return False
        places: list[Place] = []
        for part in parts:
            if part.file < 0:
                memory = ffi.from_buffer("uint8_t[]", part.chunk)
                places.append((memory + part.start, part.length, -1, 0))
            elif not self._is_seen(part, places):
                return False
        if len(places) > PARTS_MAX:
            return False
        for place in places:
            lib.sender_add_part(self._sender, record, *place)
            self.held.append((place, text))
        return True

    def _is_seen(self, part: Any, places: list[Place]) -> bool:
        """Whether a stretch of a file is seen through windows; these are added to the places."""
        file, offset, left = part.file, part.offset, part.length
        while left:
            start = offset % WINDOW_BYTES
            length = min(left, WINDOW_BYTES - start)
            window = self._windows.at(file, offset // WINDOW_BYTES, self.descriptors)
            if window is None:
                return False
            places.append((window + start, length, self.descriptors[file], offset))
            offset, left = offset + length, left - length
        return True

    def settle(self) -> Iterator[int]:
        """The batch is sent: nothing of it is needed any more. The records that could not leave."""
        self.held.clear()
        self._windows.trim()
        while (record := lib.sender_take_fault(self._sender)) >= 0:
            yield record

    def forget(self, file: int) -> None:
        """Nobody needs a file any more; no batch waits that does."""
        self._windows.forget(file)
        self._windows.trim()

    def close(self) -> None:
        """Give all of it back."""
        self._windows.close()
