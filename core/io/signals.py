"""Signals as something to read: the kernel's numbers arrive on a socket that a loop watches.

    with SignalSocket([signal.SIGTERM]) as signals:
        async for number in signals: ...

Owns the installation of handlers that do nothing. Between two bytecodes nothing of ours happens; a thread
takes the number when it is its turn. A forked child has none of them (`core.loop.caught`).
"""

import select
import signal
import socket
from collections import deque
from collections.abc import Iterable

from gossamer.core.loop.caught import NO_WAKEUP, CaughtSignal
from gossamer.core.threads.calls import EpollWait

NUMBERS_MAX = 64
"""Signals read at once."""


def _wake_only(_number: int, _frame: object) -> None:
    """The wake-up descriptor notifies the loop; nothing happens here."""


class SignalSocket:
    """Catches signals from now on; one in a process, on its main thread.

    In a child that is forked meanwhile (os.fork), what they did before holds again, and nothing of what is
    sent to it comes here.

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
        wakeup_fd = self._write.fileno()
        signal.set_wakeup_fd(wakeup_fd, warn_on_full_buffer=False)
        self._caught = {number: CaughtSignal(number, _wake_only, wakeup_fd) for number in numbers}
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
        return number in self._caught and self._caught[number].is_in_place

    def close(self) -> None:
        """Put everything back as it was, but for signals that somebody else has taken since."""
        signal.set_wakeup_fd(NO_WAKEUP)
        for caught in self._caught.values():
            caught.put_back()
        self._read.close()
        self._write.close()

    def fall_silent(self) -> None:
        """Close it at the end of a process: signals stay caught, so that one that comes late changes nothing
        of how it ends, and nobody hears of them."""
        signal.set_wakeup_fd(NO_WAKEUP)
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
