"""A bounded memo of a pure function of bytes: what clients say repeats, so parsing it need not.

Owns the bound and the order of eviction (least recently used); it knows nothing of what is memoised.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

R = TypeVar("R")

MEMO_ENTRIES_MAX: Final = 1024
MEMO_KEY_BYTES_MAX: Final = 2048
"""Longer keys are parsed every time: the memo holds at most MEMO_ENTRIES_MAX * MEMO_KEY_BYTES_MAX bytes of
keys.
"""


class Memo(Generic[R]):
    """function(bytes), remembered."""

    __slots__ = ("entries_max", "function", "known")

    def __init__(self, function: Callable[[bytes], R], entries_max: int = MEMO_ENTRIES_MAX) -> None:
        self.function = function
        self.entries_max = entries_max
        # Not a dict: finding its first entry walks over all that were deleted before it.
        self.known: OrderedDict[bytes, R] = OrderedDict()

    def recall(self, key: bytes) -> R | None:
        """What is known already."""
        known = self.known
        if key not in known:
            return None
        known.move_to_end(key)
        return known[key]

    def __call__(self, key: bytes) -> R:
        known = self.known
        if key in known:
            known.move_to_end(key)
            return known[key]
        result = self.function(key)
        if len(key) <= MEMO_KEY_BYTES_MAX:
            if len(known) >= self.entries_max:
                known.popitem(last=False)
            known[key] = result
        return result
