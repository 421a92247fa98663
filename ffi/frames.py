"""The socket that frames leave from, and which flows leave there.

Owns the descriptor, the hops of the flows, and when they may be used: it hears of changes of routing and of
the host's rules. What a frame looks like is `src/frame.c`'s, how a hop is found `ffi.hops`'.

Source: packet(7).
"""

import socket
from collections.abc import Callable
from typing import Final

from gossamer.ffi.hops import Hop, Hops
from gossamer.ffi.rtnetlink import RoutingChanges, Rtnetlink
from gossamer.ffi.rulesets import RulesetChanges
from gossamer.ffi.sendsocket import FRAME_BUFFER_BYTES, open_send_socket

CHANGES_MAX: Final = 64
"""Datagrams of news taken in one turn."""

SOL_PACKET: Final = 263
PACKET_VNET_HDR: Final = 15


def open_frame_socket() -> socket.socket:
    """The socket that frames leave from, cut and with checksums completed by the kernel or the device. Needs
    CAP_NET_RAW.

    Raises: PermissionError, OSError.
    """
    return open_send_socket(socket.AF_PACKET, 0, SOL_PACKET, PACKET_VNET_HDR, FRAME_BUFFER_BYTES)


class Frames:
    """Which flows leave through `fd`, from `open_frame_socket`: all that have a hop, while `may_send` says
    so. It is asked at the start and when the host's rules change; None is always. Raises: OSError."""

    def __init__(self, fd: int, may_send: Callable[[], bool] | None = None) -> None:
        self.fd = fd
        self._may_send = may_send
        self._routing = Rtnetlink()
        self._routing_changes = RoutingChanges()
        self._ruleset_changes = RulesetChanges() if may_send is not None else None
        self.changes_fds: tuple[int, ...] = (self._routing_changes.fd,)
        if self._ruleset_changes is not None:
            self.changes_fds += self._ruleset_changes.fds

    def start(self, place: Callable[[int, Hop], None]) -> None:
        """`place(number, hop)` is called for each hop that is numbered anew."""
        self._hops = Hops(self._routing, place)
        hops = self._hops
        self.number, self.begin, self.doubt, self.forget = hops.number, hops.begin, hops.doubt, hops.forget
        if self._may_send is not None:
            self._hops.allow(self._may_send())

    def take_changes(self) -> None:
        """Forget what does not hold any more."""
        self._hops.changed(self._routing_changes.take(CHANGES_MAX))
        if self._ruleset_changes is None or self._may_send is None:
            return
        if self._ruleset_changes.take(CHANGES_MAX):
            self._hops.allow(self._may_send())

    def close(self) -> None:
        """Give back what hears of changes; `fd` stays open. Closing twice is harmless."""
        self._routing.close()
        self._routing_changes.close()
        if self._ruleset_changes is not None:
            self._ruleset_changes.close()
