"""The loop that reads, writes and syncs files for threads, without blocking the worker.

Owns who waits for which operation, and the operations that wait for one in flight to be done. What moves the
bytes is an engine (`core.loop.disk.engine`), chosen once; what the engine does not take goes to the pool.
`engine` says which was chosen.

A thread that is cancelled goes on at once. Its operation is given up if the kernel can. Its slot, with the
memory in it, is used for nothing else until the kernel has finished with it.

Source: Li and Zdancewic, PLDI 2007, section 4.5 (the AIO event loop).
"""

import os
from collections import OrderedDict
from collections.abc import Mapping
from select import EPOLLET, EPOLLIN
from typing import Any, Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import BoundExceeded, MisuseError, without_frames
from gossamer.core.loop.disk.call import AioEngine, AioRead, AioSync, AioWrite
from gossamer.core.loop.disk.engine import Engine, PoolEngine, choose_engine
from gossamer.core.loop.disk.names import ENGINES
from gossamer.core.loop.disk.spin import SPIN_US, Spin
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.ffi.chunk import ALIGNMENT_BYTES

DEPTH: Final = 128
"""Operations in flight in the kernel; the rest waits here."""

POOL_DEPTH: Final = 64
"""Operations in flight in the pool."""

WAITING_MAX: Final = 131_072
"""Operations that wait for one in flight to be done."""

READ_BYTES_MAX: Final = 256 * 1024
"""The longest read or write of one call."""

CHUNK_BYTES: Final = READ_BYTES_MAX + 2 * ALIGNMENT_BYTES
"""A longest read that neither begins nor ends with a page."""

PAGE_MASK: Final = -ALIGNMENT_BYTES
"""Of an offset, what stands before the page it lies in."""

DiskCall = AioRead | AioWrite | AioSync

Operation = tuple[Thread[Any] | None, DiskCall]
"""What is asked for, and who waits for it: None where that was cancelled."""

NO_OPERATION: Final[Operation] = (None, AioSync(-1))
"""In a slot that is free."""


class DiskLoop:
    """Reads and writes files for threads. It needs a `PoolLoop` that runs on the same scheduler.

    It stays awake up to `spin_us` for operations of the kernel's that are in flight: `core.loop.disk.spin`.

    Raises: BoundExceeded in a thread that asks for more than READ_BYTES_MAX, or when WAITING_MAX operations
    wait.
    """

    def __init__(
        self, pool: PoolLoop, depth: int = DEPTH, engine: str = "auto", spin_us: int = SPIN_US
    ) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            AioRead: self._begin,
            AioWrite: self._begin,
            AioSync: self._begin,
            AioEngine: lambda _thread, _call: self.engine,
        }
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = dict.fromkeys(
            (AioRead, AioWrite, AioSync), self._cancel
        )
        self.why_not_better: str
        kernel, self.why_not_better = choose_engine(depth, CHUNK_BYTES, engine)
        self._pool_lane = Lane(PoolEngine(POOL_DEPTH, CHUNK_BYTES, pool, self._collect_pool))
        self._lane = self._pool_lane if kernel is None else Lane(kernel)
        self._operations_total = 0
        self._is_queued = False
        # The pool's threads need the interpreter's lock that staying awake would hold.
        self._spin = Spin(0 if kernel is None else spin_us)

    @property
    def engine(self) -> str:
        """What moves the bytes: "io_uring", "libaio" or "pool"."""
        return self._lane.engine.name

    def start(self, scheduler: SchedulerPort) -> None:
        """Watch the engine's eventfd, edge-triggered: each write to it is reported, and it is never read."""
        self._scheduler = scheduler
        if self._lane.engine.eventfd >= 0:
            scheduler.watch(self._lane.engine.eventfd, EPOLLIN | EPOLLET, self._collect)

    def close(self) -> None:
        """Wait until the kernel is done with every buffer, and release them. Closing twice is harmless."""
        if self._lane.engine.eventfd >= 0 and not self._lane.is_closed:
            self._scheduler.unwatch(self._lane.engine.eventfd)
        self._lane.close()
        self._pool_lane.close()

    def statistics(self) -> dict[str, int]:
        """The engine's index in `names.ENGINES`, operations since the start, and those on their way
        now."""
        lanes = {id(lane): lane for lane in (self._lane, self._pool_lane)}.values()
        return {
            "disk_engine": ENGINES.index(self.engine),
            "disk_operations_total": self._operations_total,
            "disk_in_flight": sum(len(lane.engine) for lane in lanes),
            "disk_waiting": sum(len(lane.waiting) for lane in lanes),
        }

    # Beginning.

    def _begin(self, thread: Thread[Any], call: DiskCall) -> Any:
        if type(call) is AioWrite and type(call.data) is not bytes:
            call = _of_bytes(call)
        if type(call) is not AioSync and not 0 <= call.length <= READ_BYTES_MAX:
            raise BoundExceeded(f"{call.length} bytes: one call reads or writes at most {READ_BYTES_MAX}")
        lane = self._lane
        if not (lane.takes_all or lane.engine.takes(call.fd, is_read=isinstance(call, AioRead))):
            lane = self._pool_lane
        self._operations_total += 1
        if not lane.waiting and lane.begin(thread, call):
            self._is_queued = True
        elif len(lane.waiting) < WAITING_MAX:
            lane.waiting[thread] = call
        else:
            raise BoundExceeded(f"{WAITING_MAX} operations wait already (core.loop.disk.loop.WAITING_MAX)")
        return BLOCKED

    def turn(self, now_us: int) -> int:
        """Begin what was queued in this turn, by one system call."""
        if self._is_queued:
            self._is_queued = not self._lane.engine.submit()
            self._spin.begin(now_us)
        elif not len(self._lane.engine):
            return NEVER_US
        return now_us if self._is_queued or self._spin.goes_on(now_us) else NEVER_US

    # Ending.

    def _collect(self, _events: int) -> None:
        self._collect_lane(self._lane)

    def _collect_pool(self) -> None:
        self._collect_lane(self._pool_lane)

    def _collect_lane(self, lane: "Lane") -> None:
        """Answer the operations that are done, and begin as many of those that wait."""
        self._spin.end()
        free = lane.engine.free
        for slot, result in lane.engine.reap():
            self._finish(lane, slot, result)
            free.append(slot)
        waiting = lane.waiting
        while free and waiting:
            thread, call = waiting.popitem(last=False)
            self._is_queued = True
            try:
                if not lane.begin(thread, call):
                    waiting[thread] = call
                    waiting.move_to_end(thread, last=False)
                    break
            except (OSError, BoundExceeded) as error:
                self._scheduler.throw(thread, without_frames(error))
        if self._is_queued:
            # At once: else the disk would rest while threads run.
            self._is_queued = not self._lane.engine.submit()

    def _finish(self, lane: "Lane", slot: int, result: int) -> None:
        """Give a thread what the kernel did for it."""
        thread, call = lane.operations[slot]
        lane.operations[slot] = NO_OPERATION
        if thread is None:
            return
        if result < 0:
            self._scheduler.throw(thread, OSError(-result, os.strerror(-result)))
        elif type(call) is AioRead:
            skip = call.offset & ~PAGE_MASK
            stop = skip + call.length
            view = lane.engine.chunks[slot].view
            self._scheduler.resume(thread, view[skip : stop if stop < result else result].tobytes())
        else:
            self._scheduler.resume(thread, result if isinstance(call, AioWrite) else None)

    def _cancel(self, thread: Thread[Any], call: DiskCall) -> bool:
        del call
        return self._lane.cancel(thread) or self._pool_lane.cancel(thread)


def _of_bytes(call: AioWrite) -> AioWrite:
    """A write that waits its turn with what its data holds now. Raises: MisuseError."""
    try:
        return AioWrite(call.fd, call.offset, bytes(call.data))
    except ValueError as error:  # a memoryview that was released
        raise MisuseError(f"sys_aio_write: data: {error}") from error


class Lane:
    """An engine, who waits for what it has in flight, and who waits for a slot of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.takes_all = engine.takes_all
        self.operations: list[Operation] = [NO_OPERATION] * engine.depth
        """By slot."""
        self.waiting: OrderedDict[Thread[Any], DiskCall] = OrderedDict()
        """The first in it is the next."""
        self.is_closed = False

    def begin(self, thread: Thread[Any], call: DiskCall) -> bool:
        """Hand an operation to the engine; False when it has to wait for another to be done. Raises:
        OSError, BoundExceeded."""
        engine = self.engine
        if not engine.free:
            return False
        slot = engine.free.pop()
        try:
            if type(call) is AioRead:
                # Whole pages: a descriptor opened with O_DIRECT takes nothing else.
                start = call.offset & PAGE_MASK
                stop = (call.offset + call.length + ALIGNMENT_BYTES - 1) & PAGE_MASK
                engine.read(slot, call.fd, stop - start, start)
            elif type(call) is AioSync:
                engine.sync(slot, call.fd)
            else:
                assert isinstance(call, AioWrite)
                engine.chunks[slot].view[: call.length] = call.data
                engine.write(slot, call.fd, call.length, call.offset)
        except (OSError, BoundExceeded) as error:
            engine.free.append(slot)
            if isinstance(error, BlockingIOError) and len(engine) > 0:
                return False
            raise
        self.operations[slot] = (thread, call)
        return True

    def cancel(self, thread: Thread[Any]) -> bool:
        """Forget who waits; whether it waited here, and need not wait on.

        A write of the pool is waited for: it has only the descriptor's number, which may be another file's
        soon after the thread has gone on.
        """
        if self.waiting.pop(thread, None) is not None:
            return True
        for slot, (waiter, call) in enumerate(self.operations):
            if waiter is thread:
                if isinstance(call, AioWrite) and not self.engine.holds_files:
                    return False
                self.operations[slot] = (None, call)
                self.engine.cancel(slot)
                return True
        return False

    def close(self) -> None:
        """Wait for what is in flight, and forget it."""
        if not self.is_closed:
            self.is_closed = True
            self.engine.close()
            self.operations = [NO_OPERATION] * self.engine.depth
            self.waiting.clear()
