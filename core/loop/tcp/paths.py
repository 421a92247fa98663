"""What routers have reported of paths, for later connections.

Owns the table of path MTUs by peer address. A connection that begins learns what its path carries before it
sends its first segment, so that a path with a small MTU costs its users one round trip in ten minutes, not
one for each connection.

Bounds: PATHS_MAX peers, the one not used for longest goes; an entry counts for PATH_RAISE_US.

Source: RFC 1191 6.2 and 6.3, RFC 8201 5.2 and 5.3.
"""

from collections import OrderedDict
from typing import Final

from gossamer.core.tcp.constants import PATH_RAISE_US
from gossamer.core.wire.flow import Flow

PATHS_MAX: Final = 1024


class Paths:
    """The MTU of the path to each peer that a router has spoken of."""

    def __init__(self) -> None:
        self._mtus: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._mtus)

    def learn(self, flow: Flow, mtu: int, now_us: int) -> None:
        """Remember the MTU that a router reported."""
        peer = flow[:16]
        self._mtus.pop(peer, None)
        if len(self._mtus) >= PATHS_MAX:
            self._mtus.popitem(last=False)
        self._mtus[peer] = (mtu, now_us + PATH_RAISE_US)

    def find(self, flow: Flow, now_us: int) -> int:
        """The MTU of the path to the peer of a flow, 0 when none is known."""
        peer = flow[:16]
        mtu, until_us = self._mtus.get(peer, (0, 0))
        if until_us > now_us:
            self._mtus.move_to_end(peer)
            return mtu
        self._mtus.pop(peer, None)
        return 0
