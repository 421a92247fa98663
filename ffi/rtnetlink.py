"""What the kernel's routing says of a destination, and that it has changed: routes, neighbours, links.

Owns the few messages of rtnetlink that are asked and heard here. Whoever may send may ask: it needs no
capability. It must never know what is sent.

Source: rtnetlink(7), netlink(7); linux/rtnetlink.h, linux/neighbour.h, linux/if_link.h.
"""

import errno
import socket
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from gossamer.ffi.netlink import (
    ANSWER_TIMEOUT_S,
    DATAGRAM_BYTES_MAX,
    NETLINK_ADD_MEMBERSHIP,
    NLMSG_ERROR,
    SOL_NETLINK,
    attribute,
    attributes,
    dump,
    messages,
    refusal,
    request,
)

NETLINK_ROUTE: Final = 0
RTM_GETLINK: Final = 18
RTM_GETADDR: Final = 22
RTM_GETROUTE: Final = 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_METRICS, RTA_VIA, RTA_ENCAP = 1, 2, 4, 5, 8, 18, 22
RTAX_MTU: Final = 2
RTN_UNICAST: Final = 1
NDA_DST, NDA_LLADDR = 1, 2
IFLA_ADDRESS, IFLA_MTU = 1, 4
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFF_UP: Final = 1
ARPHRD_ETHER: Final = 1

NUD_KNOWN: Final = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
"""REACHABLE, STALE, DELAY, PROBE, PERMANENT: the link-layer address is known and in use."""

CHANGES_GROUPS: Final = (1, 3, 5, 7, 8, 9, 11, 19)
"""RTNLGRP_LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE."""
ADDRESS_GROUPS: Final = (1, 5, 9)
"""RTNLGRP_LINK, IPV4_IFADDR, IPV6_IFADDR."""

_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_INT = struct.Struct("=i")


class Route(NamedTuple):
    """How packets leave to a destination."""

    link: int
    """Index of the interface."""
    next_hop: bytes
    """Whom the frame is for: 4 or 16 octets."""
    mtu: int
    """Of the path, as far as the route says one; 0 when the link's holds."""


class Interface(NamedTuple):
    """An interface."""

    is_ethernet: bool
    is_up: bool
    address: bytes
    mtu: int


class NeighbourChange(NamedTuple):
    """A neighbour that the kernel has heard of, or forgotten."""

    link: int
    address: bytes
    hardware: bytes
    """Its link-layer address; b"" when it is not known any more."""


def _family(address: bytes) -> int:
    return socket.AF_INET if len(address) == 4 else socket.AF_INET6


class Rtnetlink:
    """Asks the kernel, one question at a time."""

    def __init__(self) -> None:
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
        self._netlink.settimeout(ANSWER_TIMEOUT_S)
        self._netlink.bind((0, 0))
        self._asked = 0

    def close(self) -> None:
        """Give the socket back."""
        self._netlink.close()

    def _ask(self, kind: int, body: bytes) -> bytes:
        """The body of the answer. Raises: OSError for what the kernel refuses, TimeoutError when it is
        silent."""
        self._asked += 1
        self._netlink.send(request(kind, 0, self._asked, body))
        while True:
            for found, number, content in messages(self._netlink.recv(DATAGRAM_BYTES_MAX)):
                if number != self._asked:
                    continue
                if found == NLMSG_ERROR:
                    raise refusal(content)
                return content

    def route(self, destination: bytes, source: bytes) -> Route | None:
        """How a packet between these addresses (4 or 16 octets) leaves; None where not as one frame to one
        neighbour: to this host itself, to many, in another packet, or nowhere. Raises: OSError."""
        bits = 8 * len(destination)
        body = _ROUTE.pack(_family(destination), bits, bits, 0, 0, 0, 0, 0, 0)
        body += attribute(RTA_DST, destination) + attribute(RTA_SRC, source)
        answer = self._ask(RTM_GETROUTE, body)
        kind = _ROUTE.unpack_from(answer)[7]
        found = attributes(answer[_ROUTE.size :])
        if kind != RTN_UNICAST or RTA_OIF not in found or RTA_VIA in found or RTA_ENCAP in found:
            return None
        metrics = attributes(found.get(RTA_METRICS, b""))
        mtu = _INT.unpack(metrics[RTAX_MTU])[0] if RTAX_MTU in metrics else 0
        return Route(_INT.unpack(found[RTA_OIF])[0], found.get(RTA_GATEWAY, destination), mtu)

    def neighbour(self, link: int, address: bytes) -> bytes | None:
        """The link-layer address of a neighbour; None while the kernel does not know it. Raises: OSError."""
        body = _NEIGHBOUR.pack(_family(address), link, 0, 0, 0) + attribute(NDA_DST, address)
        try:
            answer = self._ask(RTM_GETNEIGH, body)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        _, _, state, _, _ = _NEIGHBOUR.unpack_from(answer)
        hardware = attributes(answer[_NEIGHBOUR.size :]).get(NDA_LLADDR, b"")
        return hardware if state & NUD_KNOWN and len(hardware) == 6 else None

    def link(self, index: int) -> Interface:
        """An interface. Raises: OSError."""
        answer = self._ask(RTM_GETLINK, _LINK.pack(0, 0, index, 0, 0))
        _, kind, _, flags, _ = _LINK.unpack_from(answer)
        found = attributes(answer[_LINK.size :])
        mtu = _INT.unpack(found[IFLA_MTU])[0] if IFLA_MTU in found else 0
        return Interface(kind == ARPHRD_ETHER, bool(flags & IFF_UP), found.get(IFLA_ADDRESS, b""), mtu)


def _link_mtus() -> dict[int, int]:
    """The MTU of each link."""
    found = {}
    for body in dump(NETLINK_ROUTE, RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0)):
        mtu = attributes(body[_LINK.size :]).get(IFLA_MTU)
        if mtu is not None:
            found[_LINK.unpack_from(body)[2]] = _INT.unpack(mtu)[0]
    return found


def local_mtus() -> dict[bytes, int]:
    """For each address of this host, 4 or 16 octets, the MTU of the link that has it. Raises: OSError."""
    mtus, found = _link_mtus(), {}
    for body in dump(NETLINK_ROUTE, RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)):
        given = attributes(body[_ADDRESS.size :])
        address = given.get(IFA_LOCAL) or given.get(IFA_ADDRESS)
        if address is not None:
            found[address] = mtus.get(_ADDRESS.unpack_from(body)[4], 0)
    return found


class RoutingChanges:
    """Hears when routes, rules, addresses, links or neighbours change, or what of these `groups` are."""

    def __init__(self, groups: Sequence[int] = CHANGES_GROUPS) -> None:
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
        self._netlink.setblocking(False)
        self._netlink.bind((0, 0))
        for group in groups:
            self._netlink.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        self.fd = self._netlink.fileno()
        """Readable when something has changed."""

    def close(self) -> None:
        """Give the socket back."""
        self._netlink.close()

    def take(self, datagrams_max: int) -> list[NeighbourChange] | None:
        """The neighbours that have changed, out of at most so many datagrams; None when anything else has, or
        news were lost: then nothing that was known before holds."""
        changes: list[NeighbourChange] = []
        is_lost = False
        for _ in range(datagrams_max):
            try:
                datagram = self._netlink.recv(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                is_lost = True
                continue
            for kind, _, body in messages(datagram):
                if kind not in (RTM_NEWNEIGH, RTM_DELNEIGH):
                    is_lost = True
                    continue
                changes.append(_neighbour_change(kind, body))
        return None if is_lost else changes


def _neighbour_change(kind: int, body: bytes) -> NeighbourChange:
    _, link, state, _, _ = _NEIGHBOUR.unpack_from(body)
    found = attributes(body[_NEIGHBOUR.size :])
    is_known = kind == RTM_NEWNEIGH and state & NUD_KNOWN
    hardware = found.get(NDA_LLADDR, b"") if is_known else b""
    return NeighbourChange(link, found.get(NDA_DST, b""), hardware)
