"""Memory that several processes map: a sealed memfd.

Owns creation and mapping. Knows nothing of what stands in it. A memfd has no name to clean up and goes with
its last holder. Where the kernel has no memfd, a file of /dev/shm or of the folder for temporary files takes
its place, and its name is removed at once; it is not sealed, and its other holders are trusted not to
truncate it.

Source: memfd_create(2), fcntl(2) "File Sealing", shm_overview(7).
"""

import errno
import fcntl
import mmap
import os
from typing import Final

SHARED_MEMORY: Final = "/dev/shm"
REFUSALS: Final = frozenset({errno.ENOSYS, errno.EPERM, errno.EACCES})
"""Of a kernel without memfd_create, and of sandboxes."""


def _nameless_file() -> int:
    import tempfile  # A good part of a start, and of use here alone.

    folder = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else tempfile.gettempdir()
    fd, path = tempfile.mkstemp(prefix="gossamer-", dir=folder)
    os.unlink(path)
    return fd


def _new_memory(name: str) -> tuple[int, bool]:
    """An empty memory, and whether it can be sealed. Raises: OSError."""
    try:
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), True
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
    return _nameless_file(), False


def create_memory(name: str, size_bytes: int) -> int:
    """The descriptor of a zeroed memory of fixed size: no mapping of it ever misses its end."""
    fd, is_sealed = _new_memory(name)
    os.ftruncate(fd, size_bytes)
    if is_sealed:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def map_memory(fd: int) -> mmap.mmap:
    """Map the whole of it, shared, for reading and writing."""
    return mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)


def sealed_message(name: str, content: bytes) -> int:
    """The descriptor of a memory that holds `content` and can never change: a letter for a process about to
    start.
    """
    fd, is_sealed = _new_memory(name)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    if is_sealed:
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def read_message(fd: int) -> bytes:
    """The content of a sealed message; closes the descriptor."""
    with os.fdopen(fd, "rb") as file:
        return file.read()
