"""The loop that takes `sys_aio_read`: files that are not in the page cache, without blocking the worker.

Owns the reads in flight and who waits for each. Two engines: the kernel's native AIO, asynchronous only for a
descriptor opened with O_DIRECT and only for aligned memory, and a pool of operating-system threads for every
other descriptor, or for all where the kernel has no AIO. `engine` says which was found.

Source: Li and Zdancewic, PLDI 2007, section 4.5 (the AIO event loop); io_submit(2).
"""

import errno
import fcntl
import os
from collections import deque
from collections.abc import Mapping
from select import EPOLLIN
from typing import Any, Final, NamedTuple

from gossamer.core.errors import BoundExceeded
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.threads.calls import AioRead
from gossamer.core.threads.eventloop import PassiveLoop, SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Handler, SystemCall
from gossamer.core.threads.thread import Raise, Thread
from gossamer.ffi.aio import AioContext
from gossamer.ffi.chunk import ALIGNMENT_BYTES, Chunk, ChunkPool, align_down, align_up

DEPTH: Final = 64
"""Reads in flight in the kernel; the rest waits here."""

WAITING_MAX: Final = 1024
"""Reads that wait for one in flight to be done."""

READ_BYTES_MAX: Final = 256 * 1024
"""The longest read of one call."""

ENGINE_KERNEL: Final = "libaio"
ENGINE_POOL: Final = "pool"


class Read(NamedTuple):
    """One read in flight: who waits for it, what was asked for, and where the kernel puts it."""

    thread: Thread[Any]
    call: AioRead
    chunk: Chunk


class AioLoop(PassiveLoop):
    """Reads files for threads. It needs a `PoolLoop` that runs on the same scheduler.

    Raises: BoundExceeded in a thread that asks for more than READ_BYTES_MAX, or when WAITING_MAX reads wait.
    """

    def __init__(self, pool: PoolLoop, depth: int = DEPTH) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {AioRead: self._aio_read}
        self._pool = pool
        self._chunks = ChunkPool(READ_BYTES_MAX + 2 * ALIGNMENT_BYTES, depth)
        self._in_flight: dict[int, Read] = {}
        self._waiting: deque[tuple[Thread[Any], AioRead]] = deque()
        self._reads_total = 0
        self._context: AioContext | None = None
        self.why_not_kernel = ""
        """Why the kernel's AIO is not used; empty when it is."""
        try:
            self._context = AioContext(depth)
        except OSError as error:
            self.why_not_kernel = str(error)

    @property
    def engine(self) -> str:
        """What reads a descriptor opened with O_DIRECT: ENGINE_KERNEL or ENGINE_POOL."""
        return ENGINE_POOL if self._context is None else ENGINE_KERNEL

    def start(self, scheduler: SchedulerPort) -> None:
        """Watch the context's eventfd."""
        self._scheduler = scheduler
        if self._context is not None:
            scheduler.watch(self._context.eventfd, EPOLLIN, self._collect)

    def close(self) -> None:
        """Wait until the kernel is done with every buffer, and release them."""
        if self._context is not None:
            self._scheduler.unwatch(self._context.eventfd)
            self._context.close()
            self._context = None
        self._in_flight.clear()
        self._waiting.clear()

    def statistics(self) -> dict[str, int]:
        """Reads by the kernel's AIO since the start, and those on their way now."""
        return {
            "aio_reads_total": self._reads_total,
            "aio_in_flight": len(self._in_flight),
            "aio_waiting": len(self._waiting),
        }

    def _aio_read(self, thread: Thread[Any], call: AioRead) -> Any:
        if not 0 <= call.length <= READ_BYTES_MAX:
            raise BoundExceeded(f"a read of {call.length} bytes: one call reads at most {READ_BYTES_MAX}")
        is_direct = bool(fcntl.fcntl(call.fd, fcntl.F_GETFL) & os.O_DIRECT)
        if self._context is None or not is_direct:
            self._read_in_pool(thread, call, is_direct)
        elif not self._submit(self._context, thread, call):
            if len(self._waiting) >= WAITING_MAX:
                raise BoundExceeded(f"{WAITING_MAX} reads wait already (core.loop.aio.WAITING_MAX)")
            self._waiting.append((thread, call))
        return BLOCKED

    def _read_in_pool(self, thread: Thread[Any], call: AioRead, is_direct: bool) -> None:
        def done(result: Any) -> None:
            if type(result) is Raise:
                self._scheduler.throw(thread, result.error)
            else:
                self._scheduler.resume(thread, result)

        self._pool.submit(done, read_aligned if is_direct else read_at, call.fd, call.offset, call.length)

    def _submit(self, context: AioContext, thread: Thread[Any], call: AioRead) -> bool:
        """Hand a read to the kernel; False when it has to wait for another to be done. Raises: OSError."""
        chunk = self._chunks.take() if context.has_room else None
        if chunk is None:
            return False
        start, stop = align_down(call.offset), align_up(call.offset + call.length)
        try:
            slot = context.read(call.fd, chunk.slice(0, stop - start), start)
        except OSError as error:
            self._chunks.give_back(chunk)
            if error.errno == errno.EAGAIN and self._in_flight:
                return False
            raise
        self._reads_total += 1
        self._in_flight[slot] = Read(thread, call, chunk)
        return True

    def _collect(self, _events: int) -> None:
        """Answer the reads that are done, and submit as many of those that wait."""
        context = self._context
        assert context is not None, "an event of a closed context"
        context.acknowledge()
        # Bounds: the context's depth.
        while finished := context.reap():
            for slot, part, result in finished:
                self._finish(self._in_flight.pop(slot), part, result)
        while self._waiting:
            thread, call = self._waiting[0]
            try:
                if not self._submit(context, thread, call):
                    return
            except OSError as error:
                self._scheduler.throw(thread, error)
            self._waiting.popleft()

    def _finish(self, read: Read, part: Chunk, result: int) -> None:
        """Give a thread what the kernel read for it."""
        call = read.call
        if result < 0:
            self._scheduler.throw(read.thread, OSError(-result, os.strerror(-result)))
        else:
            self._scheduler.resume(read.thread, cut(part, result, call.offset, call.length))
        self._chunks.give_back(read.chunk)


def cut(part: Chunk, filled: int, offset: int, length: int) -> bytes:
    """The `length` bytes at `offset` of the file, out of a chunk filled from the aligned offset before it."""
    skip = offset - align_down(offset)
    return part.read(skip, max(skip, min(filled, skip + length)))


def read_at(fd: int, offset: int, length: int) -> bytes:
    """Read in a thread of the pool."""
    return os.pread(fd, length, offset)


def read_aligned(fd: int, offset: int, length: int) -> bytes:
    """Read a descriptor opened with O_DIRECT in a thread of the pool."""
    start, stop = align_down(offset), align_up(offset + length)
    if start == stop:
        return b""
    chunk = Chunk.allocate(stop - start)
    return cut(chunk, os.preadv(fd, [chunk.view], start), offset, length)
