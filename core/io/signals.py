"""Signals as something to read: the kernel's numbers arrive on a socket that a loop watches.

    with SignalSocket([signal.SIGTERM]) as signals:
        async for number in signals: ...

Owns the installation of handlers that do nothing. Between two bytecodes nothing of ours happens; a thread
takes the number when it is its turn.
"""

import select
import signal
import socket
from collections import deque
from collections.abc import Iterable

from gossamer.core.threads.calls import EpollWait

NUMBERS_MAX = 64
"""Signals read at once."""


def _wake_only(_number: int, _frame: object) -> None:
    """The wake-up descriptor notifies the loop; nothing happens here."""


class SignalSocket:
    """Catches signals from now on; one in a process, on its main thread.

    >>> from signal import SIGUSR1, raise_signal
    >>> from gossamer import SignalSocket, run
    >>> async def main():
    ...     with SignalSocket([SIGUSR1]) as signals:
    ...         raise_signal(SIGUSR1)
    ...         return await anext(signals) == SIGUSR1
    >>> run(main())
    True
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, _wake_only) for number in numbers}
        self._read_ahead: deque[int] = deque()

    def fileno(self) -> int:
        """Readable when a signal came."""
        return self._read.fileno()

    def read(self) -> bytes:
        """The numbers of the signals that came, in their order; not to be called before it is readable.

        Signals that others handle are left out, also where somebody has replaced our handler since: Python
        writes the number of each signal that it has a handler for.
        """
        return bytes(number for number in self._read.recv(NUMBERS_MAX) if self._is_ours(number))

    def _is_ours(self, number: int) -> bool:
        return number in self._previous and signal.getsignal(number) is _wake_only

    def close(self) -> None:
        """Put everything back as it was."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._read.close()
        self._write.close()

    def __enter__(self) -> "SignalSocket":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __aiter__(self) -> "SignalSocket":
        return self

    async def __anext__(self) -> int:
        """The next signal's number."""
        while not self._read_ahead:
            await EpollWait(self.fileno(), select.EPOLLIN)
            self._read_ahead += self.read()
        return self._read_ahead.popleft()
