"""Child processes: started, fed, read, waited for.

Owns one child and its pipes. A thread that is cancelled while it waits for a child kills it and reaps it, so
that none is left behind.

Source: pidfd_open(2), subprocess of the standard library.
"""

import errno
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gossamer.core.errors import BoundExceeded, misuse
from gossamer.core.io.pipe import PipeReader, PipeWriter
from gossamer.core.loop.checks import check_number, whole_bytes
from gossamer.core.loop.fd.call import Descriptor, FdClose, FdReadable
from gossamer.core.threads.calls import Sleep, sys_blio_to_end
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.nursery import open_nursery

NO_PIDFD: Final = frozenset({errno.ENOSYS, errno.EPERM})
"""Before Linux 5.3, and in sandboxes: then the child is asked for now and again."""

LOOK_US: Final = 1_000
LOOK_US_MAX: Final = 50_000
"""Between two looks, doubled after each."""

OUTPUT_BYTES_MAX: Final = 64 << 20
"""What `run_process` keeps of each output stream."""


class Process:
    """A running child. Its pipes are None where none was asked for."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self.pid: int = child.pid
        """Its process number."""
        self.stdin: PipeWriter | None = PipeWriter(os.dup(child.stdin.fileno())) if child.stdin else None
        """What it reads."""
        self.stdout: PipeReader | None = PipeReader(os.dup(child.stdout.fileno())) if child.stdout else None
        """What it writes."""
        self.stderr: PipeReader | None = PipeReader(os.dup(child.stderr.fileno())) if child.stderr else None
        """What it complains of."""
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
        self._child = child
        # Kept for `close`, which must not fail for want of a descriptor.
        self._end = _open_end(child.pid)

    async def wait(self) -> int:
        """Wait until it has ended: its exit code, or minus the number of the signal that ended it.

        Any number of threads may wait.
        """
        if (code := self._child.poll()) is not None:
            return code
        # A descriptor has one reader: each who waits has one. The number is the child's until it is reaped.
        end = _open_end(self.pid)
        try:
            return await self._reap(end)
        finally:
            if end is not None:
                with CancelScope(shield=True):
                    await FdClose(end)

    def send_signal(self, number: int) -> None:
        """Send a signal; to nobody, when it has ended. Raises: MisuseError for no signal's number."""
        check_number("number", number, 0, signal.SIGRTMAX)
        self._child.send_signal(number)

    async def close(self) -> None:
        """Kill it if it still runs, reap it, and close its pipes. Twice is harmless."""
        with CancelScope(shield=True):
            if self._child.poll() is None:
                self._child.kill()
                await self._reap(self._end)
            for descriptor in (self.stdin, self.stdout, self.stderr, self._end):
                if descriptor is not None:
                    await FdClose(descriptor)

    async def _reap(self, end: Descriptor | None) -> int:
        pause_us = LOOK_US
        while (code := self._child.poll()) is None:
            if end is not None:
                await FdReadable(end)
            else:
                await Sleep(pause_us)
                pause_us = min(2 * pause_us, LOOK_US_MAX)
        return code

    async def __aenter__(self) -> "Process":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


def _open_end(pid: int) -> Descriptor | None:
    """What becomes readable when a child ends; None where the kernel has no such thing. Raises: OSError."""
    try:
        return Descriptor(os.pidfd_open(pid))
    except OSError as error:
        if error.errno not in NO_PIDFD:
            raise
        return None


async def open_process(command: Sequence[str], **how: Any) -> Process:
    """Start a child; `how` is what subprocess.Popen takes (stdin=PIPE, cwd, env, ...).

    Raises: OSError; MisuseError for what is no command.

    Use it with `async with`: at the end of the block the child is gone. It has the descriptors 0, 1 and 2 and
    none of ours, and in a server all processors, also where its worker is kept on one.

    >>> from subprocess import PIPE
    >>> from gossamer import open_process, run
    >>> async def main():
    ...     async with await open_process(["cat"], stdin=PIPE, stdout=PIPE) as child:
    ...         await child.stdin.send(b"there and back")
    ...         return await child.stdout.recv()
    >>> run(main())
    b'there and back'
    """
    if not command or not isinstance(command, Sequence):
        raise misuse("command", command, "a program and its arguments, as in ['ls', '-l']")
    # To its end: cancelled, nobody would own the child.
    return Process(await sys_blio_to_end(lambda: subprocess.Popen(command, bufsize=0, **how)))


class Completed(msgspec.Struct, frozen=True):
    """A child that has ended."""

    code: int
    """Its exit code, or minus the number of the signal that ended it."""
    stdout: bytes
    stderr: bytes


async def run_process(command: Sequence[str], stdin: bytes = b"", **how: Any) -> Completed:
    """Start a child, feed it, and wait for all that it writes and for its end.

    >>> from gossamer import run, run_process
    >>> run(run_process(["tr", "a-z", "A-Z"], stdin=b"loud"))
    Completed(code=0, stdout=b'LOUD', stderr=b'')

    Raises: OSError; BoundExceeded when it writes more than OUTPUT_BYTES_MAX; MisuseError for a wrong
    argument.
    """
    stdin = whole_bytes("stdin", stdin)
    pipe = subprocess.PIPE
    outputs = (bytearray(), bytearray())
    async with await open_process(command, stdin=pipe, stdout=pipe, stderr=pipe, **how) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        async with open_nursery() as nursery:
            nursery.start_soon(_feed, child.stdin, stdin)
            nursery.start_soon(_read_all, child.stdout, outputs[0])
            nursery.start_soon(_read_all, child.stderr, outputs[1])
            code = await child.wait()
    return Completed(code, bytes(outputs[0]), bytes(outputs[1]))


async def _feed(pipe: PipeWriter, data: bytes) -> None:
    try:
        if data:
            await pipe.send(data)
    except BrokenPipeError:
        return  # it has read as much as it wanted
    finally:
        await pipe.close()


async def _read_all(pipe: PipeReader, output: bytearray) -> None:
    while data := await pipe.recv():
        output += data
        if len(output) > OUTPUT_BYTES_MAX:
            raise BoundExceeded(f"a child wrote more than {OUTPUT_BYTES_MAX} bytes (OUTPUT_BYTES_MAX)")
