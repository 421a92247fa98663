"""A disk in memory, with the delays of a real one drawn from a seed: whole servers run in the simulator.

Owns files by path, and the loop that answers reads, writes and syncs of them in virtual time. To a server it
is what `core.io.file` is over a real disk: nothing of it is ever cached, so that every read takes its time.
"""

import errno
import os
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from gossamer.core.io.file import FileStatus
from gossamer.core.loop.disk.call import AioRead, AioSync, AioWrite
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Handler, SystemCall
from gossamer.core.threads.thread import Thread

ANSWERS_MAX: Final = 256
"""Operations answered in one turn."""

SEEK_US: Final = (50, 5_000)
"""The least and the most that an operation takes."""


class VirtualDisk:
    """A loop, plugged into a simulated host: `host.scheduler.add_loop(disk)`; and the files of that host."""

    def __init__(self, files: Mapping[str, bytes], seed: int) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = dict.fromkeys(
            (AioRead, AioWrite, AioSync), self._begin
        )
        self._paths = list(files)
        self._contents = [bytearray(content) for content in files.values()]
        self._random = Random(seed)
        self._due: DeadlineHeap[Thread[Any]] = DeadlineHeap(resolution_us=1)
        self._answers: dict[Thread[Any], Any] = {}
        self.operations_total = 0

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def turn(self, now_us: int) -> int:
        """Answer what is done by now."""
        for thread in self._due.pop_due(now_us, ANSWERS_MAX):
            self._scheduler.resume(thread, self._answers.pop(thread))
        return self._due.next_at_us

    def close(self) -> None:
        """Forget what was not answered."""
        self._due.clear()
        self._answers.clear()

    def open_cached(self, path: str) -> None:
        """Nothing is cached."""
        del path

    async def open(self, path: str) -> "VirtualFile":
        """Open a file; a folder is what a path leads through. Raises: FileNotFoundError."""
        name = path.strip("/")
        if name in self._paths:
            number = self._paths.index(name)
            return VirtualFile(number, len(self._contents[number]), is_folder=False)
        if not name or any(known.startswith(f"{name}/") for known in self._paths):
            return VirtualFile(len(self._paths), 0, is_folder=True)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _begin(self, thread: Thread[Any], call: AioRead | AioWrite | AioSync) -> Any:
        if not 0 <= call.fd < len(self._contents):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        self.operations_total += 1
        self._answers[thread] = self._perform(call, self._contents[call.fd])
        self._due.push(self._scheduler.now_us() + self._random.randint(*SEEK_US), thread)
        return BLOCKED

    @staticmethod
    def _perform(call: AioRead | AioWrite | AioSync, content: bytearray) -> Any:
        if isinstance(call, AioRead):
            return bytes(content[call.offset : call.offset + call.length])
        if isinstance(call, AioWrite):
            content[call.offset : call.offset + call.length] = call.data
            return call.length
        return None


class VirtualFile:
    """An open file of a `VirtualDisk`."""

    def __init__(self, number: int, size_bytes: int, *, is_folder: bool) -> None:
        self.fd = number
        self.status = FileStatus(
            size_bytes=size_bytes,
            mtime_ns=0,
            ctime_ns=0,
            inode=number,
            device=0,
            is_file=not is_folder,
            is_directory=is_folder,
        )

    def read(self, offset: int, length: int) -> AioRead:
        """The bytes from `offset` on, fewer than `length` only at the end."""
        return AioRead(self.fd, offset, length)

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """Nothing is cached."""
        del offset, length
        return None

    def read_ahead(self, offset: int, length: int) -> None:
        """Nothing is cached."""
        del offset, length

    def close(self) -> None:
        """There is nothing to give back."""
