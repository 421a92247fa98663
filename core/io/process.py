"""Child processes: started, fed, read, waited for.

Owns one child and its pipes. A thread that is cancelled while it waits for a child kills it and reaps it, so
that none is left behind. Whoever started the program may have had SIGCHLD ignored (`trap '' CHLD`), and the
kernel keeps no exit code then: the first child that is started here sets it to its default.

Source: pidfd_open(2), waitpid(2), "NOTES", subprocess of the standard library.
"""

import errno
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
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

LOST_CODE: Final = 255
"""The exit code of a child that somebody else has reaped, as asyncio has it: nobody knows it any more."""

REAPED: Final = "SIGCHLD is ignored, or another part of the program has reaped it"

LOOK_US: Final = 1_000
LOOK_US_MAX: Final = 50_000
"""Between two looks, doubled after each."""

OUTPUT_BYTES_MAX: Final = 64 << 20
"""What `run_process` keeps of each output stream."""

log = logging.getLogger(__name__)


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
        # Kept for `close`, which must not fail because descriptors have run out.
        self._end = _open_end(child.pid)

    async def wait(self) -> int:
        """Wait until it has ended: its exit code, or minus the number of the signal that ended it; 255, and a
        warning in the log, where another part of the program or the kernel has reaped it (`open_process`).

        Any number of threads may wait.
        """
        if (code := self._code()) is not None:
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
        """Send a signal; to nobody, when it has ended. Raises: MisuseError for anything but a signal's
        number."""
        check_number("number", number, 0, signal.SIGRTMAX)
        if self._code() is None:
            # It may have ended since, but the number is its own until it is reaped.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def close(self) -> None:
        """Kill it if it still runs, reap it, and close its pipes. Twice is harmless."""
        with CancelScope(shield=True):
            if self._code() is None:
                self.send_signal(signal.SIGKILL)
                await self._reap(self._end)
            for descriptor in (self.stdin, self.stdout, self.stderr, self._end):
                if descriptor is not None:
                    await FdClose(descriptor)

    async def _reap(self, end: Descriptor | None) -> int:
        pause_us = LOOK_US
        while (code := self._code()) is None:
            if end is not None:
                await FdReadable(end)
            else:
                await Sleep(pause_us)
                pause_us = min(2 * pause_us, LOOK_US_MAX)
        return code

    def _code(self) -> int | None:
        """Its exit code, None while it runs. It is reaped by this."""
        child = self._child
        if child.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                # `Popen.poll` would say 0, success.
                log.warning("the exit code of child %d is lost: %s", self.pid, REAPED)
                child.returncode = LOST_CODE
            else:
                child.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return child.returncode

    async def __aenter__(self) -> "Process":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


def _open_end(pid: int) -> Descriptor | None:
    """What becomes readable when a child ends; None where the kernel has no such thing, and of one that has
    ended and is reaped. Raises: OSError."""
    try:
        return Descriptor(os.pidfd_open(pid))
    except ProcessLookupError:
        return None
    except OSError as error:
        if error.errno not in NO_PIDFD:
            raise
        return None


def _have_exit_codes_kept() -> None:
    """Have the kernel keep them for us: where SIGCHLD is ignored, it throws them away. Only Python's main
    thread may set a signal."""
    is_main_thread = threading.current_thread() is threading.main_thread()
    if is_main_thread and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


async def open_process(command: Sequence[str], **how: Any) -> Process:
    """Start a child; `how` is what subprocess.Popen takes (stdin=PIPE, cwd, env, ...).

    Raises: OSError; MisuseError for anything but a command.

    Use it with `async with`: at the end of the block the child is gone. It has the descriptors 0, 1 and 2 and
    none of ours, and in a server all processors, also where its worker is kept on one.

    Where SIGCHLD is ignored, this sets it to its default for the whole program, as the kernel would reap the
    child itself and keep no exit code. That can be done on Python's main thread alone: a scheduler on another
    operating-system thread learns of the end all the same, but the exit code is 255 there.

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
    _have_exit_codes_kept()
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
