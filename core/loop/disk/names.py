"""The engines that move bytes between files and memory, by name; a worker's counters have their numbers."""

from typing import Final

URING: Final = "io_uring"
LIBAIO: Final = "libaio"
POOL: Final = "pool"

ENGINES: Final = (URING, LIBAIO, POOL)
