"""epoll: interests, and the events to report of them, level- or edge-triggered.

Source: epoll(7).
"""

from typing import Final

from gossamer.core.packetdrill.sockets import POLLERR, POLLHUP, READABLE, WRITABLE, Socket

EDGE: Final = 1 << 31
ONE_SHOT: Final = 1 << 30
ALWAYS: Final = POLLERR | POLLHUP


class Interest:
    """What is wanted of one socket."""

    def __init__(self, socket: Socket, events: int, data: int) -> None:
        self.socket = socket
        self.events = events
        self.data = data
        self._reported = 0
        self._reported_at: tuple[int, int] = (-1, 0)

    def due(self) -> int:
        """The events to report now."""
        if not self.events & ~(EDGE | ONE_SHOT):
            return 0
        found = self.socket.events()
        if not found & WRITABLE:
            self.socket.lacks_room = True
        if self.events & EDGE:
            found = self._edges(found)
        return found & (self.events | ALWAYS)

    def _edges(self, found: int) -> int:
        """Those that are new: the state changed, or more of the same came."""
        received, reports = self._progress()
        old = self._reported
        if reports != self._reported_at[1]:
            old &= ~POLLERR
        if received != self._reported_at[0]:
            old &= ~READABLE
        if self.socket.lacks_room:
            # Room is news to who was told that there is none, as in Linux.
            old &= ~WRITABLE
        return found if found & ~old else 0

    def _progress(self) -> tuple[int, int]:
        """What came, and how often something was put on the error queue."""
        tcb = self.socket.tcb
        if self.socket.queue is not None:
            return len(self.socket.queue.ready), 0
        reports = self.socket.settle().reports_total
        return (tcb.rcv_nxt, reports) if tcb is not None else (-2, reports)

    def reported(self) -> None:
        """The events were reported."""
        self._reported, self._reported_at = self.socket.events(), self._progress()
        if self._reported & WRITABLE:
            self.socket.lacks_room = False
        if self.events & ONE_SHOT:
            self.events &= EDGE | ONE_SHOT


class Epoll:
    """An epoll descriptor."""

    def __init__(self) -> None:
        self.interests: dict[int, Interest] = {}

    def due(self, most: int) -> list[tuple[Interest, int]]:
        """Up to `most` interests with events to report."""
        found = [(interest, interest.due()) for interest in self.interests.values()]
        return [(interest, events) for interest, events in found if events][:most]
