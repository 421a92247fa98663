"""How the C library's allocator treats freed memory.

Owns the one call. glibc gives the top of the heap back to the kernel as soon as 128 KiB of it are free, and a
block of 128 KiB or more has a mapping of its own: a process that takes and frees buffers of 16 to 256 KiB all
the time pays a page fault for every 4 KiB of them.

Source: mallopt(3), M_TRIM_THRESHOLD, M_MMAP_THRESHOLD.
"""

from typing import Final

from gossamer.ffi._system import lib

KEPT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Freed memory at the top of the heap that stays with the process."""

MAPPED_BYTES_MIN: Final = 1024 * 1024
"""A block as large as this is mapped by itself, and unmapped when it is freed."""


def keep_freed_memory(kept_bytes_max: int = KEPT_BYTES_MAX, mapped_bytes_min: int = MAPPED_BYTES_MIN) -> bool:
    """Have freed memory kept for what is taken next, for the whole process; False where the C library has no
    such thing.
    """
    return bool(lib.gossamer_keep_memory(kept_bytes_max, mapped_bytes_min))
