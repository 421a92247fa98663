"""By which hop a flow leaves as frames: looked up once for a destination, forgotten when it may not hold.

    first super-segment of a flow -> route, link, neighbour -> hop -> all of the flow goes as frames

One flow never leaves by two sockets at a time: they would overtake each other. Where there is no hop (this
host itself, no Ethernet, a neighbour that the kernel does not know yet) the raw socket sends, and nobody asks
again for this flow until something changes.

Owns the table of hops and that of flows. Bounds: HOPS_MAX destinations, of which one without flows makes way;
a flow stands here no longer than its connection lives.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from gossamer.ffi.rtnetlink import Interface, NeighbourChange, Route, Rtnetlink

HOPS_MAX: Final = 4096
RAW: Final = 0
"""The hop of a flow that leaves through the raw socket."""

MAPPED_PREFIX: Final = bytes(10) + b"\xff\xff"


class Hop(NamedTuple):
    """Where frames to a destination go."""

    link: int
    next_hop: bytes
    destination: bytes
    """Link-layer address, of 6 octets, as that of the source."""
    source: bytes
    mtu: int


class Routing(Protocol):
    """Who knows the way: `ffi.rtnetlink.Rtnetlink`."""

    def route(self, destination: bytes, source: bytes) -> Route | None:
        """How a packet between two addresses leaves."""

    def neighbour(self, link: int, address: bytes) -> bytes | None:
        """A neighbour's link-layer address."""

    def link(self, index: int) -> Interface:
        """An interface."""


def find_hop(routing: Routing, destination: bytes, source: bytes) -> Hop | None:
    """The hop between two addresses of 4 or 16 octets; None where frames cannot be sent, or not now."""
    try:
        route = routing.route(destination, source)
        if route is None:
            return None
        link = routing.link(route.link)
        if not link.is_ethernet or not link.is_up or len(link.address) != 6:
            return None
        neighbour = routing.neighbour(route.link, route.next_hop)
    except OSError:
        # The kernel refuses (a source that is not ours, a link that has just gone) or does not answer: the
        # raw socket sends, and hears the reason.
        return None
    if neighbour is None:
        return None
    return Hop(route.link, route.next_hop, neighbour, link.address, route.mtu or link.mtu)


def link_mtu(flow: bytes) -> int:
    """The longest packet of a flow that our own host sends; 0 when routing does not say."""
    try:
        with contextlib.closing(Rtnetlink()) as routing:
            route = routing.route(*_addresses(flow))
            return 0 if route is None else route.mtu or routing.link(route.link).mtu
    except OSError:
        return 0


def _addresses(flow: bytes) -> tuple[bytes, bytes]:
    """(peer's, ours) of a flow, as they are on the wire."""
    peer, ours = flow[:16], flow[16:32]
    return (peer[12:], ours[12:]) if peer.startswith(MAPPED_PREFIX) else (peer, ours)


class _Known:
    """A destination whose hop is known, and the flows that leave by it."""

    __slots__ = ("addresses", "flows", "hop", "number")

    def __init__(self, addresses: bytes, number: int, hop: Hop) -> None:
        self.addresses = addresses
        self.number = number
        self.hop = hop
        self.flows: set[bytes] = set()


class Hops:
    """Which flows leave as frames. `place(number, hop)` is called for each hop that is numbered anew."""

    def __init__(self, routing: Routing, place: Callable[[int, Hop], None]) -> None:
        self._routing = routing
        self._place = place
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        """By both addresses of the flows, the oldest first."""
        self._numbers: dict[bytes, int] = {}
        self.number = self._numbers.get
        """number(flow, RAW): the hop of a flow; RAW when it has none, or has not begun."""
        self._free = list(range(HOPS_MAX, 0, -1))
        self._is_allowed = True

    def begin(self, flow: bytes) -> int:
        """The hop of a flow that sends a super-segment: from the first one on all of it leaves there."""
        number = self._numbers.get(flow)
        if number is not None:
            return number
        known = self._find(flow[:32]) if self._is_allowed else None
        if known is not None:
            known.flows.add(flow)
        self._numbers[flow] = number = RAW if known is None else known.number
        return number

    def _find(self, addresses: bytes) -> _Known | None:
        known = self._known.get(addresses)
        if known is not None:
            return known
        if not self._free and not self._makes_room():
            return None
        hop = find_hop(self._routing, *_addresses(addresses))
        if hop is None:
            return None
        known = self._known[addresses] = _Known(addresses, self._free.pop(), hop)
        self._place(known.number, hop)
        return known

    def _makes_room(self) -> bool:
        """Forget a destination to which nothing goes any more, if the one whose turn it is is one."""
        known = next(iter(self._known.values()))
        if known.flows:
            self._known.move_to_end(known.addresses)
            return False
        self._forget_destination(known)
        return True

    def forget(self, flow: bytes) -> None:
        """The connection of a flow is over."""
        if self._numbers.pop(flow, RAW) != RAW:
            self._known[flow[:32]].flows.discard(flow)

    def doubt(self, flow: bytes) -> None:
        """What went this way was not answered: its destination is looked up again."""
        if self._numbers.pop(flow, RAW) != RAW:
            self._forget_destination(self._known[flow[:32]])

    def allow(self, is_allowed: bool) -> None:
        """Whether flows may leave as frames from now on."""
        if self._is_allowed != is_allowed:
            self.changed(None)
        self._is_allowed = is_allowed

    def changed(self, changes: list[NeighbourChange] | None) -> None:
        """Forget what does not hold any more; None is everything. Flows without a hop may ask again, once a
        neighbour is known that was not."""
        last = {(each.link, each.address): each.hardware for each in changes or ()}
        for known in list(self._known.values()):
            hop = known.hop
            if changes is None or last.get((hop.link, hop.next_hop), hop.destination) != hop.destination:
                self._forget_destination(known)
        if changes is None or any(last.values()):
            for flow in [flow for flow, number in self._numbers.items() if number == RAW]:
                del self._numbers[flow]

    def _forget_destination(self, known: _Known) -> None:
        """A destination, and that its flows go there as frames."""
        del self._known[known.addresses]
        self._free.append(known.number)
        for flow in known.flows:
            self._numbers.pop(flow, None)
