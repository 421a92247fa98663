"""What moves bytes between files and memory without blocking the worker: io_uring, the kernel's native AIO,
or a pool of operating-system threads; and the choice between them.

Owns the memory of the operations that an engine has in flight. `core.loop.disk.loop` owns who waits for them.

Source: io_uring(7), io_submit(2).
"""

import errno
import fcntl
import os
from collections.abc import Callable
from typing import Any, Protocol

from gossamer.core.loop.disk.names import ENGINES, LIBAIO, POOL, URING
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.threads.thread import Raise
from gossamer.ffi.aio import AioContext
from gossamer.ffi.chunk import Chunk, Slots
from gossamer.ffi.inflight import Done
from gossamer.ffi.uring import UringContext


class Engine(Protocol):
    """Moves bytes to and from the chunks of its slots: see `ffi.chunk.Slots` for who has a slot when."""

    name: str
    holds_files: bool
    """Whether an operation that was begun keeps its file, whatever becomes of the descriptor."""
    eventfd: int
    """Written to for each operation that is done (watch it edge-triggered, nobody reads it); -1 where `reap`
    is called back instead.
    """

    takes_all: bool
    """Whether `takes` need not be asked."""
    depth: int
    free: list[int]
    chunks: tuple[Chunk, ...]

    def __len__(self) -> int:
        """How many slots are taken."""

    def takes(self, fd: int, *, is_read: bool) -> bool:
        """Whether it can read, or write, that descriptor without blocking."""

    def read(self, slot: int, fd: int, length: int, offset: int) -> None:
        """Queue filling the first bytes of the slot's chunk. Raises: OSError, BoundExceeded."""

    def write(self, slot: int, fd: int, length: int, offset: int) -> None:
        """Queue writing the first bytes of the slot's chunk. Raises: OSError, BoundExceeded."""

    def sync(self, slot: int, fd: int) -> None:
        """Queue an fsync. Raises: OSError, BoundExceeded."""

    def submit(self) -> bool:
        """Begin what is queued; False when some of it has to be submitted again. Raises: OSError."""

    def cancel(self, slot: int) -> bool:
        """Ask for an operation to be given up; `reap` returns it all the same."""

    def reap(self) -> list[Done]:
        """All operations that are done. Raises: OSError."""

    def close(self) -> None:
        """Wait until nothing is in flight, and release all."""


class UringEngine(UringContext):
    """io_uring: any descriptor, any operation; a turn's operations are begun by one system call."""

    name = URING
    takes_all = True
    holds_files = True

    def takes(self, fd: int, *, is_read: bool) -> bool:
        """All of them."""
        del fd, is_read
        return True


class LibaioEngine(AioContext):
    """The kernel's native AIO: asynchronous only for reads of a descriptor opened with O_DIRECT."""

    name = LIBAIO
    takes_all = False
    holds_files = True

    def takes(self, fd: int, *, is_read: bool) -> bool:
        """Direct reads: all else would block in io_submit."""
        return is_read and is_direct(fd)

    def write(self, slot: int, fd: int, length: int, offset: int) -> None:
        """Never asked for, see `takes`."""
        raise OSError(errno.ENOSYS, f"libaio only reads: {length} bytes of slot {slot} for {fd} at {offset}")

    def sync(self, slot: int, fd: int) -> None:
        """Never asked for, see `takes`."""
        raise OSError(errno.ENOSYS, f"libaio only reads: fsync of {fd} in slot {slot}")

    def submit(self) -> bool:
        """A read is begun as soon as it is queued."""
        return True


class PoolEngine(Slots):
    """A pool of operating-system threads: any descriptor, any operation, a few at a time."""

    name = POOL
    takes_all = True
    holds_files = False
    eventfd = -1

    def __init__(self, depth: int, chunk_bytes: int, pool: PoolLoop, on_done: Callable[[], None]) -> None:
        super().__init__(depth, chunk_bytes)
        self._pool = pool
        self._on_done = on_done
        self._done: list[Done] = []

    def takes(self, fd: int, *, is_read: bool) -> bool:
        """All of them."""
        del fd, is_read
        return True

    def read(self, slot: int, fd: int, length: int, offset: int) -> None:
        """Fill the first bytes of the slot's chunk in a thread of the pool."""
        self._submit(slot, _read_into, fd, self.chunks[slot].view[:length], offset)

    def write(self, slot: int, fd: int, length: int, offset: int) -> None:
        """Write the first bytes of the slot's chunk in a thread of the pool."""
        self._submit(slot, os.pwrite, fd, self.chunks[slot].view[:length], offset)

    def sync(self, slot: int, fd: int) -> None:
        """fsync in a thread of the pool."""
        self._submit(slot, _sync, fd)

    def submit(self) -> bool:
        """An operation is begun as soon as it is queued."""
        return True

    def cancel(self, slot: int) -> bool:
        """A blocking call cannot be given up."""
        del slot
        return False

    def reap(self) -> list[Done]:
        """What is done."""
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """The pool drops what it has in flight when it is closed itself."""
        self.free[:] = range(self.depth)

    def _submit(self, slot: int, function: Callable[..., int], *arguments: Any) -> None:
        def done(result: Any) -> None:
            self._done.append((slot, -(_errno(result.error)) if type(result) is Raise else result))
            self._on_done()

        self._pool.submit(done, function, *arguments)


def _read_into(fd: int, view: memoryview, offset: int) -> int:
    """Read without a copy, or with one where a sandbox refuses preadv2."""
    try:
        return os.preadv(fd, [view], offset)
    except PermissionError:
        data = os.pread(fd, len(view), offset)
    view[: len(data)] = data
    return len(data)


def _sync(fd: int) -> int:
    os.fsync(fd)
    return 0


def _errno(error: BaseException) -> int:
    return error.errno or errno.EIO if isinstance(error, OSError) else errno.EIO


def is_direct(fd: int) -> bool:
    """Whether a descriptor was opened with O_DIRECT."""
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT)


def choose_engine(depth: int, chunk_bytes: int, wanted: str = "auto") -> tuple[Engine | None, str]:
    """The best engine that is available here, None for the pool, and why no better one is used.

    `wanted` is "auto", or the name of the one to use if it is available. Raises: ValueError for an unknown
    name.
    """
    refusals: list[str] = []
    if wanted not in (*ENGINES, "auto"):
        raise ValueError(f'disk engine "{wanted}": allowed are "auto", {", ".join(ENGINES)}')
    for name, make in (
        (URING, UringEngine),
        (LIBAIO, LibaioEngine),
    ):
        if wanted not in ("auto", name):
            continue
        try:
            return make(depth, chunk_bytes), "; ".join(refusals)
        except OSError as error:
            refusals.append(f"no {name}: {error.strerror}")
    return None, "; ".join(refusals)
