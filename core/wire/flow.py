"""The flow: the two sockets of a connection, as the 36 bytes that key every table.

    remote address (16) | local address (16) | remote port (2) | local port (2)

in network order; an IPv4 address stands in its IPv4-mapped form (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that
one key serves both families. The C code writes and reads the same 36 bytes. A `bytes` of a batch record is a
key at once, where one int made of four fields would cost 55 ns more a packet.
"""

import ipaddress
from typing import Final

Flow = bytes

FLOW_BYTES: Final = 36
PORT_MAX: Final = 65_535
MAPPED_PREFIX: Final = b"\x00" * 10 + b"\xff\xff"

Address = tuple[str, int]
"""Host (textual IP address) and port."""


def pack_address(host: str) -> bytes:
    """The 16 bytes of an address in a flow. Raises: ValueError for anything but an IP address."""
    packed = ipaddress.ip_address(host).packed
    return packed if len(packed) == 16 else MAPPED_PREFIX + packed


def unpack_address(packed: bytes) -> str:
    """The text of 16 address bytes."""
    if packed.startswith(MAPPED_PREFIX):
        return str(ipaddress.IPv4Address(packed[12:]))
    return str(ipaddress.IPv6Address(packed))


def plain_host(host: str) -> str:
    """An address of the kernel's as people write it: an IPv4 peer of a socket of IPv6 with the IPv4 address
    that it has, which is what `unpack_address` makes of it too."""
    return host.removeprefix("::ffff:") if "." in host else host


def pack_flow(local: Address, remote: Address) -> Flow:
    """The key of the connection between two sockets. Raises: ValueError for anything but an IP address."""
    ports = remote[1].to_bytes(2, "big") + local[1].to_bytes(2, "big")
    return pack_address(remote[0]) + pack_address(local[0]) + ports


def local_port(flow: Flow) -> int:
    """The port on our side."""
    return int.from_bytes(flow[34:36], "big")


def local_address(flow: Flow) -> Address:
    """Our side."""
    return unpack_address(flow[16:32]), local_port(flow)


def remote_address(flow: Flow) -> Address:
    """The peer's side."""
    return unpack_address(flow[:16]), int.from_bytes(flow[32:34], "big")


def is_ipv4(flow: Flow) -> bool:
    """Whether the flow runs over IPv4."""
    return flow.startswith(MAPPED_PREFIX)
