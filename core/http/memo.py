"""A bounded memo of a pure function of bytes: request heads repeat, so parsing them need not.

Owns the bound and the order of eviction (least recently used); it knows nothing of what is memoised.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

R = TypeVar("R")

MEMO_ENTRIES_MAX: Final = 1024
MEMO_KEY_BYTES_MAX: Final = 2048
"""Longer heads are parsed every time: the memo holds at most MEMO_ENTRIES_MAX * MEMO_KEY_BYTES_MAX bytes of
keys.
"""


class Memo(Generic[R]):
    """function(bytes), remembered."""

    __slots__ = ("entries_max", "function", "known")

    def __init__(self, function: Callable[[bytes], R], entries_max: int = MEMO_ENTRIES_MAX) -> None:
        self.function = function
        self.entries_max = entries_max
        self.known: dict[bytes, R] = {}

    def __call__(self, key: bytes) -> R:
        known = self.known
        if key in known:
            # A dict keeps the order of insertion: what was used last stands last, the first is the oldest.
            result = known[key] = known.pop(key)
            return result
        result = self.function(key)
        if len(key) <= MEMO_KEY_BYTES_MAX:
            if len(known) >= self.entries_max:
                del known[next(iter(known))]
            known[key] = result
        return result
