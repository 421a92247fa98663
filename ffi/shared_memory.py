"""Memory that several processes map: a sealed memfd.

Owns creation and mapping. Knows nothing of what stands in it. A memfd has no name to clean up and goes with
its last holder.

Source: memfd_create(2), fcntl(2) "File Sealing".
"""

import fcntl
import mmap
import os


def create_memory(name: str, size_bytes: int) -> int:
    """The descriptor of a zeroed memory of fixed size: no mapping of it ever misses its end."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size_bytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def map_memory(fd: int) -> mmap.mmap:
    """Map the whole of it, shared, for reading and writing."""
    return mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)


def sealed_message(name: str, content: bytes) -> int:
    """The descriptor of a memory that holds `content` and can never change: a letter for a process about to
    start.
    """
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def read_message(fd: int) -> bytes:
    """The content of a sealed message; closes the descriptor."""
    with os.fdopen(fd, "rb") as file:
        return file.read()
