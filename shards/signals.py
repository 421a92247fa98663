"""Signals as something to read: the kernel's numbers arrive on a socket that a loop watches.

Owns the installation of handlers that do nothing. Between two bytecodes nothing of ours happens; a loop takes
the number when it is its turn.
"""

import signal
import socket
from collections.abc import Iterable

NUMBERS_MAX = 64
"""Signals read at once."""


def _wake_only(_number: int, _frame: object) -> None:
    """The wake-up descriptor tells the loop; nothing happens here."""


class SignalSocket:
    """Catches signals from now on; one in a process, on its main thread."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, _wake_only) for number in numbers}

    def fileno(self) -> int:
        """Readable when a signal came."""
        return self._read.fileno()

    def read(self) -> bytes:
        """The numbers of the signals that came, in their order; not to be called before it is readable."""
        return self._read.recv(NUMBERS_MAX)

    def close(self) -> None:
        """Put everything back as it was."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._read.close()
        self._write.close()
