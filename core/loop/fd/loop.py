"""The loop that performs calls on pipes and other descriptors that can be polled.

Owns who is blocked on which. Each descriptor is watched once, edge-triggered, when a thread first blocks on
it; after that a message costs one read or write and no other system call of the kernel. epoll(7): "For
stream-oriented files (e.g., pipe, FIFO, stream socket), the condition that the read/write I/O space is
exhausted can also be detected by checking the amount of data read from / written to the target file
descriptor."
"""

import errno
import os
from collections.abc import Mapping
from functools import partial
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from typing import Any, Final

from gossamer.core.errors import MisuseError, without_frames
from gossamer.core.loop.checks import RECV_ROOM_BYTES
from gossamer.core.loop.fd.call import (
    Descriptor,
    FdClose,
    FdRead,
    FdReadable,
    FdWritable,
    FdWrite,
    check_descriptor,
    check_read,
    octets_of,
)
from gossamer.core.threads.eventloop import PassiveLoop, SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Thread

EVENTS: Final = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
READABLE: Final = EPOLLIN | EPOLLHUP | EPOLLRDHUP | EPOLLERR
WRITABLE: Final = EPOLLOUT | EPOLLHUP | EPOLLERR
HUNG_UP: Final = EPOLLHUP | EPOLLRDHUP | EPOLLERR


class FdLoop(PassiveLoop):
    """Reads and writes descriptors: tries at once, and blocks the thread only where the kernel would."""

    def __init__(self) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            FdRead: self._read,
            FdWrite: self._write,
            FdReadable: self._readable,
            FdWritable: self._writable,
            FdClose: self._close,
        }
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {
            FdRead: self._cancel_read,
            FdWrite: self._cancel_write,
            FdReadable: self._cancel_read,
            FdWritable: self._cancel_write,
        }
        self._watched: dict[int, Descriptor] = {}

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def close(self) -> None:
        """Stop watching; descriptors belong to whoever made them."""
        for fd in self._watched:
            self._scheduler.unwatch(fd)
        self._watched.clear()

    # The calls.

    def _read(self, thread: Thread[Any], call: FdRead) -> Any:
        descriptor, bytes_max = call.descriptor, call.bytes_max
        check_descriptor(descriptor)
        if type(bytes_max) is not int or not 0 < bytes_max <= RECV_ROOM_BYTES:
            check_read(bytes_max)
            bytes_max = RECV_ROOM_BYTES
        if descriptor.can_read and descriptor.reader is None:
            data = self._try_read(descriptor, bytes_max)
            if data is not None:
                return data
        return self._block_reader(descriptor, thread, bytes_max)

    def _readable(self, thread: Thread[Any], call: FdReadable) -> Any:
        descriptor = call.descriptor
        check_descriptor(descriptor)
        if descriptor.can_read and descriptor.is_watched:
            descriptor.can_read = descriptor.has_hung_up
            return None
        return self._block_reader(descriptor, thread, 0)

    def _write(self, thread: Thread[Any], call: FdWrite) -> Any:
        descriptor, data = call.descriptor, octets_of(call.data)
        check_descriptor(descriptor)
        written = 0
        if descriptor.can_write and descriptor.writer is None:
            written = self._try_write(descriptor, data)
            if written == len(data):
                return None
        return self._block_writer(descriptor, thread, memoryview(data)[written:])

    def _writable(self, thread: Thread[Any], call: FdWritable) -> Any:
        descriptor = call.descriptor
        check_descriptor(descriptor)
        if descriptor.can_write and descriptor.is_watched:
            descriptor.can_write = descriptor.has_hung_up
            return None
        return self._block_writer(descriptor, thread, None)

    def _close(self, _thread: Thread[Any], call: FdClose) -> None:
        descriptor = call.descriptor
        check_descriptor(descriptor)
        if descriptor.is_closed:
            return
        descriptor.is_closed = True
        if descriptor.is_watched:
            self._scheduler.unwatch(descriptor.fd)
            del self._watched[descriptor.fd]
        os.close(descriptor.fd)
        for thread in (descriptor.reader, descriptor.writer):
            if thread is not None:
                error = ConnectionAbortedError(errno.ECONNABORTED, "closed by another thread")
                self._scheduler.throw(thread, error)
        descriptor.reader = descriptor.writer = descriptor.rest = None

    # Trying.

    def _try_read(self, descriptor: Descriptor, bytes_max: int) -> bytes | None:
        """What there is, None when there is nothing yet. Raises: OSError."""
        if descriptor.is_closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        try:
            data = os.read(descriptor.fd, bytes_max)
        except BlockingIOError:
            descriptor.can_read = False
            return None
        descriptor.can_read = len(data) == bytes_max or descriptor.has_hung_up
        return data

    def _try_write(self, descriptor: Descriptor, data: bytes | memoryview) -> int:
        """How much of it was written. Raises: OSError."""
        if descriptor.is_closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        try:
            written = os.write(descriptor.fd, data)
        except BlockingIOError:
            written = 0
        descriptor.can_write = written == len(data)
        return written

    # Blocking.

    def _block_reader(self, descriptor: Descriptor, thread: Thread[Any], bytes_max: int) -> Any:
        if descriptor.reader is not None:
            raise MisuseError(f"{descriptor.reader!r} reads descriptor {descriptor.fd} already")
        self._watch(descriptor)
        descriptor.reader = thread
        descriptor.bytes_max = bytes_max
        return BLOCKED

    def _block_writer(self, descriptor: Descriptor, thread: Thread[Any], rest: memoryview | None) -> Any:
        if descriptor.writer is not None:
            raise MisuseError(f"{descriptor.writer!r} writes descriptor {descriptor.fd} already")
        self._watch(descriptor)
        descriptor.writer = thread
        descriptor.rest = rest
        return BLOCKED

    def _watch(self, descriptor: Descriptor) -> None:
        """Watch it; the kernel reports at once what is ready already. Raises: OSError."""
        if descriptor.is_closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if not descriptor.is_watched:
            self._scheduler.watch(descriptor.fd, EVENTS, partial(self._on_event, descriptor))
            descriptor.is_watched = True
            self._watched[descriptor.fd] = descriptor

    def _on_event(self, descriptor: Descriptor, events: int) -> None:
        if events & HUNG_UP:
            descriptor.has_hung_up = True
        if events & READABLE:
            descriptor.can_read = True
            if descriptor.reader is not None:
                self._go_on_reading(descriptor, descriptor.reader)
        if events & WRITABLE and not descriptor.is_closed:
            descriptor.can_write = True
            if descriptor.writer is not None:
                self._go_on_writing(descriptor, descriptor.writer)

    def _go_on_reading(self, descriptor: Descriptor, thread: Thread[Any]) -> None:
        try:
            data = self._try_read(descriptor, descriptor.bytes_max) if descriptor.bytes_max else b""
        except OSError as error:
            descriptor.reader = None
            self._scheduler.throw(thread, without_frames(error))
            return
        if data is None:
            return
        descriptor.reader = None
        if descriptor.bytes_max:
            self._scheduler.resume(thread, data)
        else:
            descriptor.can_read = descriptor.has_hung_up
            self._scheduler.resume(thread)

    def _go_on_writing(self, descriptor: Descriptor, thread: Thread[Any]) -> None:
        rest = descriptor.rest
        try:
            if rest is not None:
                rest = rest[self._try_write(descriptor, rest) :]
        except OSError as error:
            descriptor.writer = descriptor.rest = None
            self._scheduler.throw(thread, without_frames(error))
            return
        if rest is None:
            descriptor.can_write = descriptor.has_hung_up
        elif len(rest):
            descriptor.rest = rest
            return
        descriptor.writer = descriptor.rest = None
        self._scheduler.resume(thread)

    # Cancelling.

    def _cancel_read(self, _thread: Thread[Any], call: FdRead | FdReadable) -> bool:
        call.descriptor.reader = None
        return True

    def _cancel_write(self, _thread: Thread[Any], call: FdWrite | FdWritable) -> bool:
        call.descriptor.writer = call.descriptor.rest = None
        return True
