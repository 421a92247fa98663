"""A listening socket in the loop of a selector: each of its connections goes to a callback.

Where the process is out of descriptors or memory it rests, since the connection stays in the kernel's queue
and the selector would say so again at once, in every turn. Owns when it is looked at; the socket is its
opener's.
"""

import selectors
import socket
from collections.abc import Callable

from gossamer.core.clock import NEVER_US, monotonic_us
from gossamer.core.loop.sock.no_room import ACCEPT_PAUSE_US, NO_ROOM


class SelectorListener:
    """Accepts one connection a turn."""

    def __init__(
        self,
        listening: socket.socket,
        selector: selectors.BaseSelector,
        take: Callable[[socket.socket], None],
    ) -> None:
        self._listening = listening
        self._selector = selector
        self._take = take
        self._rests_until_us = NEVER_US
        listening.setblocking(False)
        self._watch()

    def _watch(self) -> None:
        self._rests_until_us = NEVER_US
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        try:
            connected, _ = self._listening.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                self._selector.unregister(self._listening)
                self._rests_until_us = monotonic_us() + ACCEPT_PAUSE_US
            return  # else it went away again: the next event tries again
        connected.setblocking(False)
        self._take(connected)

    def tick(self, now_us: int) -> None:
        """Go on when it has rested."""
        if now_us >= self._rests_until_us:
            self._watch()

    def close(self) -> None:
        """Accept no more."""
        if self._rests_until_us >= NEVER_US:
            self._selector.unregister(self._listening)
        self._rests_until_us = NEVER_US
