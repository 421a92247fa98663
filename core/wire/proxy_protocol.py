"""The PROXY protocol, versions 1 and 2: what a proxy says of a connection before its first octet.

    octets so far  ->  how many more are certain to be of the header; 0: it is whole
    whole header   ->  the flow that it announces, or none

A reader that asks for no more than is certain never takes an octet of what follows, so nothing has to be
given back. Owns the form of both versions and its bounds. Pure. It knows no stream and no clock; who may send
a header is not decided here.

Source: The PROXY protocol, versions 1 & 2 (haproxy/doc/proxy-protocol.txt), 2.1 and 2.2; RFC 3720 B.4 for
CRC32C.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from gossamer.core.errors import GossamerError
from gossamer.core.wire.flow import MAPPED_PREFIX, PORT_MAX, Flow, pack_flow

SHORTEST_BYTES: Final = 15
"""Of a header, b"PROXY UNKNOWN" and its line end: so much can be asked for at once."""

NOBODY: Final[Flow] = b""
"""Announced by a header that names no TCP connection: the addresses are those of the proxy's own."""

# Version 1, a line.

LINE_BYTES_MAX: Final = 107
"""Section 2.1: "a 108-byte buffer is always enough to store all the line and a trailing zero"."""
LINE_BEGIN: Final = b"PROXY "
UNKNOWN: Final = b"PROXY UNKNOWN"
LINE: Final = re.compile(
    rb"PROXY TCP(?:4 ([0-9.]{7,15}) ([0-9.]{7,15})|6 ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39}))"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n"
)
SHORTEST_FIELDS: Final = {b"TCP4": (5, 4, 7, 7, 1, 1), b"TCP6": (5, 4, 2, 2, 1, 1)}
"""The least octets of each field of a line."""

# Version 2, in binary.

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
FIXED_BYTES: Final = 16
HEADER_BYTES_MAX: Final = 4096
"""Of a header with all that is appended to it; longer ones are refused."""
LOCAL: Final = 0x20
PROXY: Final = 0x21
TCP4: Final = 0x11
TCP6: Final = 0x21
ADDRESS_BYTES: Final = {0: 0, 1: 12, 2: 36, 3: 216}
"""By address family: unspecified, IPv4, IPv6, Unix."""
DATAGRAM: Final = 2
"""The highest transport: unspecified, stream, datagram."""
CRC32C: Final = 0x03
VALUE_BEGIN_BYTES: Final = 3
"""Of a TLV: its type, and its length in two octets."""


class ProxyHeaderError(GossamerError):
    """What came is no header; the message says what is wrong with it."""


def missing_bytes(octets: bytes) -> int:
    """How many octets more are certain to be of the header that begins so; 0 when it is whole.

    Raises: ProxyHeaderError as soon as none can begin so. Bounds: LINE_BYTES_MAX, HEADER_BYTES_MAX.
    """
    is_line = _begins(octets, LINE_BEGIN)
    if not is_line and not _begins(octets, SIGNATURE):
        raise ProxyHeaderError("it begins as neither version does")
    if len(octets) < SHORTEST_BYTES:
        return SHORTEST_BYTES - len(octets)
    return _missing_of_line(octets) if is_line else _missing_of_binary(octets)


def announced(header: bytes) -> Flow:
    """What a whole header announces; NOBODY where it names no TCP connection. Raises: ProxyHeaderError."""
    return _announced_by_binary(header) if header.startswith(SIGNATURE) else _announced_by_line(header)


def _begins(octets: bytes, begin: bytes) -> bool:
    return octets[: len(begin)] == begin[: len(octets)]


# Version 1.


def _missing_of_line(octets: bytes) -> int:
    end = octets.find(b"\n")
    if end >= 0:
        if end != len(octets) - 1 or octets[end - 1] != 0x0D:
            raise ProxyHeaderError("its line does not end with CR LF")
        missing = 0
    else:
        missing = (1 if octets.endswith(b"\r") else 2) + _missing_of_fields(octets)
    if len(octets) + missing > LINE_BYTES_MAX:
        raise ProxyHeaderError(f"its line has more than {LINE_BYTES_MAX} octets")
    return missing


def _missing_of_fields(octets: bytes) -> int:
    """Of a line whose end has not come."""
    if octets.startswith(UNKNOWN):
        return 0
    fields = octets.split(b" ")
    shortest = SHORTEST_FIELDS.get(fields[1])
    if shortest is None:
        raise ProxyHeaderError("its line names neither TCP4 nor TCP6 nor UNKNOWN")
    if len(fields) > len(shortest):
        raise ProxyHeaderError("its line has more than two addresses and two ports")
    last = len(fields) - 1
    of_last = max(0, shortest[last] - len(fields[last]))
    return of_last + sum(1 + each for each in shortest[len(fields) :])


def _announced_by_line(header: bytes) -> Flow:
    # Section 2.1: after UNKNOWN "the receiver must ignore anything presented before the CRLF is found".
    if header.startswith(UNKNOWN) and header[len(UNKNOWN) : len(UNKNOWN) + 1] in (b"\r", b" "):
        return NOBODY
    match = LINE.fullmatch(header)
    if match is None:
        raise ProxyHeaderError("its line is not two addresses and two ports")
    source, destination = (match[i] or match[i + 2] for i in (1, 2))
    ports = int(match[5]), int(match[6])
    kind = IPv4Address if match[1] else IPv6Address
    try:
        hosts = [str(kind(text.decode("ascii"))) for text in (source, destination)]
    except ValueError as error:
        raise ProxyHeaderError("its line has what is no address") from error
    if max(ports) > PORT_MAX:
        raise ProxyHeaderError(f"its line has a port beyond {PORT_MAX}")
    return pack_flow((hosts[1], ports[1]), (hosts[0], ports[0]))


# Version 2.


def _missing_of_binary(octets: bytes) -> int:
    if len(octets) < FIXED_BYTES:
        return FIXED_BYTES - len(octets)
    _check_fixed(octets)
    return FIXED_BYTES + int.from_bytes(octets[14:16], "big") - len(octets)


def _check_fixed(octets: bytes) -> None:
    """Raises: ProxyHeaderError."""
    command, kind, length = octets[12], octets[13], int.from_bytes(octets[14:16], "big")
    # Section 2.2: "Receivers must drop connections presenting unexpected values here", and so for families.
    if command not in (LOCAL, PROXY):
        raise ProxyHeaderError(f"its version and command are {command:#04x}")
    address_bytes = ADDRESS_BYTES.get(kind >> 4)
    if address_bytes is None or kind & 0xF > DATAGRAM:
        raise ProxyHeaderError(f"its address family and transport are {kind:#04x}")
    if FIXED_BYTES + length > HEADER_BYTES_MAX:
        raise ProxyHeaderError(f"it has {FIXED_BYTES + length} octets, more than {HEADER_BYTES_MAX}")
    if command == PROXY and length < address_bytes:
        raise ProxyHeaderError(f"{length} octets are too few for its addresses")


def _announced_by_binary(header: bytes) -> Flow:
    command, kind = header[12], header[13]
    # Section 2.2, LOCAL: "the receiver must accept this connection as valid and must use the real connection
    # endpoints and discard the protocol block including the family which is ignored".
    if command == LOCAL or kind not in (TCP4, TCP6):
        return NOBODY
    first = FIXED_BYTES + ADDRESS_BYTES[kind >> 4]
    _check_values(header, first)
    body = header[FIXED_BYTES:first]
    if kind == TCP6:
        return body
    return MAPPED_PREFIX + body[:4] + MAPPED_PREFIX + body[4:8] + body[8:]


def _check_values(header: bytes, first: int) -> None:
    """Walk over what is appended. Raises: ProxyHeaderError."""
    at = first
    while at < len(header):
        begin = at + VALUE_BEGIN_BYTES
        end = begin + int.from_bytes(header[at + 1 : begin], "big")
        if begin > len(header) or end > len(header):
            raise ProxyHeaderError("what is appended to it ends beyond it")
        if header[at] == CRC32C:
            _check_sum(header, begin, end)
        at = end


def _check_sum(header: bytes, begin: int, end: int) -> None:
    """Section 2.2.3: the checksum is that of the header with the checksum's own octets zero."""
    if end - begin != 4 or crc32c(header[:begin] + bytes(4) + header[end:]) != int.from_bytes(
        header[begin:end], "big"
    ):
        raise ProxyHeaderError("its checksum is wrong")


def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


CRC_TABLE: Final = _table()


def crc32c(octets: bytes) -> int:
    """The CRC of RFC 3720 B.4."""
    crc = 0xFFFFFFFF
    for octet in octets:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ octet) & 0xFF]
    return crc ^ 0xFFFFFFFF
