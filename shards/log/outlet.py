"""Lines to whoever reads them, without ever waiting for that: a pipe that nobody empties stops no server.

Owns a bounded backlog and the operating-system thread that writes it, which is the only one that waits for a
reader. Lines that find no room are dropped and counted; that it happened is said once. The thread starts
with the first lines, so that it has no right that its process has given up before.
"""

import logging
import os
import stat
import threading
from collections import deque
from typing import Any, Final

from gossamer.shards.log.standard_streams import ERROR_FD, OUTPUT_FD, write_all

log = logging.getLogger("gossamer.output")

BACKLOG_BYTES_MAX: Final = 1 << 20
LAST_WAIT_SECONDS: Final = 1.0
"""How long the end of the process waits for a reader."""
PIPE_PIECE_BYTES: Final = 4096
"""PIPE_BUF of Linux. pipe(7): so many octets are written as one, whoever else writes to the pipe."""
PIECE_BYTES: Final = 1 << 16

DROPPED: Final = (
    "%s: whoever reads it was too slow; such lines are dropped and counted "
    "(log_lines_dropped_total of gossamer status --json)"
)


class Outlet:
    """The way to one descriptor. Bounds: BACKLOG_BYTES_MAX."""

    def __init__(self, fd: int, name: str) -> None:
        self.dropped_total = 0
        self._fd = fd
        self._name = name
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._has_warned = False

    def put(self, content: bytes) -> None:
        """Have whole lines written, or drop them."""
        with self._changed:
            if self._waiting_bytes + len(content) > BACKLOG_BYTES_MAX:
                self.dropped_total += content.count(b"\n")
            else:
                self._waiting.append(content)
                self._waiting_bytes += len(content)
                self._changed.notify_all()
        if self._thread is None:
            name = f"outlet {self._fd}"
            self._thread = threading.Thread(target=self._write_to_the_end, name=name, daemon=True)
            self._thread.start()
        if self.dropped_total and self._fd != ERROR_FD:
            self._warn_once()

    def _warn_once(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning(DROPPED, self._name)

    def close(self) -> None:
        """Wait until all is written and the thread has ended, for at most LAST_WAIT_SECONDS.

        A process that a sandbox refuses exit_group(2) lives as long as any thread of it.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        thread.join(LAST_WAIT_SECONDS)
        self._is_closing = False

    def _write_to_the_end(self) -> None:
        is_pipe = stat.S_ISFIFO(os.fstat(self._fd).st_mode)
        piece_bytes = PIPE_PIECE_BYTES if is_pipe else PIECE_BYTES
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                if not self._waiting:
                    return
                content = self._waiting.popleft()
            for piece in whole_lines(content, piece_bytes):
                write_all(self._fd, piece, self._name)
            with self._changed:
                self._waiting_bytes -= len(content)
                self._changed.notify_all()
            if self.dropped_total and not self._waiting:
                self._warn_once()  # of the log itself: now there is room for it


def whole_lines(content: bytes, piece_bytes: int) -> list[bytes]:
    """The content in pieces of whole lines, none longer than that unless one line is."""
    pieces: list[bytes] = []
    at = 0
    while at < len(content):
        end = content.rfind(b"\n", at, at + piece_bytes) + 1
        if not end:
            end = content.find(b"\n", at) + 1 or len(content)
        if len(content) - at <= piece_bytes:
            end = len(content)
        pieces.append(content[at:end])
        at = end
    return pieces


class Outlets:
    """Standard output, standard error and access log of a process that serves."""

    def __init__(self, access_log_fd: int | None = None) -> None:
        self.output = Outlet(OUTPUT_FD, "standard output")
        self.access_log = self.output if access_log_fd is None else Outlet(access_log_fd, "access log")
        self.error = Outlet(ERROR_FD, "standard error")

    def take_over_log(self) -> None:
        """Have the log written through here from now on."""
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(LogStream(self.error))

    def statistics(self) -> dict[str, int]:
        """Lines that nobody read in time."""
        return {"log_lines_dropped_total": sum(each.dropped_total for each in self._all())}

    def close(self) -> None:
        """Let the last lines out."""
        for each in self._all():
            each.close()

    def _all(self) -> set[Outlet]:
        return {self.access_log, self.output, self.error}


class LogStream:
    """What a handler of the log writes to."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def write(self, text: str) -> Any:
        """Take a line."""
        self._outlet.put(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Nothing is held back here."""
