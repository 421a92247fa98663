"""Windows into files: what leaves straight from the page cache stands in the address space meanwhile.

Owns the mappings. The latest used are kept, for as long as their file is needed: as many as a batch goes on
in. More gain nothing that can be measured, and what they show counts as memory of the worker. Nobody here
may touch what they show, since a file that becomes shorter takes its pages away (SIGBUS); the kernel, sending
from there, says EFAULT.

Bounds: WINDOWS_MAX, and those of the batch at hand.

Source: mmap(2).
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from gossamer.ffi._packet import ffi, lib

WINDOW_BYTES: Final = 4 << 20
WINDOWS_MAX: Final = 16
"""64 MiB of addresses, and no memory but the page cache's own."""


class Windows:
    """The windows of one sink. What `at` and `forget` let go stays until the batch is sent: `trim` then."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._left: list[Any] = []

    def at(self, file: int, index: int, descriptors: Mapping[int, int]) -> Any:
        """The window number `index` into a file; None where it cannot be mapped."""
        key = (file, index)
        window = self._kept.get(key)
        if window is not None:
            self._kept.move_to_end(key)
            return window
        window = lib.window_open(descriptors[file], index * WINDOW_BYTES, WINDOW_BYTES)
        if window == ffi.NULL:
            return None
        self._kept[key] = window
        return window

    def forget(self, file: int) -> None:
        """Nobody needs a file any more."""
        for key in [key for key in self._kept if key[0] == file]:
            self._left.append(self._kept.pop(key))

    def trim(self) -> None:
        """Nothing is being sent from them."""
        while len(self._kept) > WINDOWS_MAX:
            self._left.append(self._kept.popitem(last=False)[1])
        while self._left:
            lib.window_close(self._left.pop(), WINDOW_BYTES)

    def close(self) -> None:
        """Give all of them back."""
        self._left += self._kept.values()
        self._kept.clear()
        self.trim()
