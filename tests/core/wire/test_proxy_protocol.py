"""The PROXY protocol: what proxies send is read to its last octet and no further, all else is refused."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.proxy_protocol import (
    HEADER_BYTES_MAX,
    LINE_BYTES_MAX,
    NOBODY,
    SIGNATURE,
    ProxyHeaderError,
    announced,
    crc32c,
    missing_bytes,
)

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
V4 = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + (4711).to_bytes(2, "big") + (443).to_bytes(2, "big")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(15) + b"\1" + V4[8:]


def read(octets: bytes) -> tuple[bytes, bytes]:
    """What a header announces, and what a reader of it has left untouched."""
    taken = 0
    while missing := missing_bytes(octets[:taken]):
        if taken + missing > len(octets):
            raise EOFError(missing)
        taken += missing
    return announced(octets[:taken]), octets[taken:]


def binary(command: int, kind: int, body: bytes, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    return SIGNATURE + bytes([command, kind]) + length.to_bytes(2, "big") + body


def value(kind: int, octets: bytes) -> bytes:
    return bytes([kind]) + len(octets).to_bytes(2, "big") + octets


def summed(body: bytes) -> bytes:
    header = binary(0x21, 0x11, body + value(3, bytes(4)))
    return header[:-4] + crc32c(header).to_bytes(4, "big")


FLOW4 = pack_flow(("198.51.100.1", 443), ("192.0.2.7", 4711))
FLOW6 = pack_flow(("::1", 443), ("2001:db8::7", 4711))
GOOD = {
    "line_of_ipv4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", FLOW4),
    "line_of_ipv6": (b"PROXY TCP6 2001:DB8::7 ::1 4711 443\r\n", FLOW6),
    "shortest_line_of_ipv6": (b"PROXY TCP6 :: :: 0 0\r\n", bytes(36)),
    "mapped": (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 4711 443\r\n", FLOW4),
    "unknown": (b"PROXY UNKNOWN\r\n", NOBODY),
    "unknown_and_more": (b"PROXY UNKNOWN ffff::1 what \xff ever 1 2\r\n", NOBODY),
    "ipv4": (binary(0x21, 0x11, V4), FLOW4),
    "ipv6": (binary(0x21, 0x21, V6), FLOW6),
    "values": (binary(0x21, 0x11, V4 + value(4, b"") + value(0xEA, b"x" * 300)), FLOW4),
    "checksum": (summed(V4 + value(2, b"host")), FLOW4),
    "longest": (binary(0x21, 0x11, V4 + value(4, bytes(HEADER_BYTES_MAX - 31))), FLOW4),
    "local": (binary(0x20, 0x00, b""), NOBODY),
    "local_with_what_is_ignored": (binary(0x20, 0x11, b"\xff" * 5), NOBODY),
    "unspecified": (binary(0x21, 0x00, b"whatever"), NOBODY),
    "unix": (binary(0x21, 0x31, bytes(216)), NOBODY),
    "datagram": (binary(0x21, 0x12, V4), NOBODY),
}


@pytest.mark.parametrize("name", GOOD)
def test_header__announces__and_what_follows_is_untouched(name: str) -> None:
    header, flow = GOOD[name]
    assert read(header + REQUEST) == (flow, REQUEST)
    assert read(header) == (flow, b"")
    for cut in range(len(header)):
        with pytest.raises(EOFError):
            read(header[:cut])


BAD = {
    "no_header": REQUEST,
    "tls_hello": b"\x16\x03\x01\x02\x00\x01",
    "lower_case": b"proxy TCP4 192.0.2.7 198.51.100.1 4711 443\r\n",
    "two_spaces": b"PROXY  TCP4 192.0.2.7 198.51.100.1 4711 443\r\n",
    "two_spaces_later": b"PROXY TCP4 192.0.2.7  198.51.100.1 4711 443\r\n",
    "tab": b"PROXY TCP4\t192.0.2.7 198.51.100.1 4711 443\r\n",
    "udp": b"PROXY UDP4 192.0.2.7 198.51.100.1 4711 443\r\n",
    "no_cr": b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n",
    "cr_within": b"PROXY TCP4 192.0.2.7\r198.51.100.1 4711 443 \r\n",
    "too_short": b"PROXY TCP4 192.0.2.7 4711 443\r\n" + REQUEST,
    "fifth_field": b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 5\r\n",
    "trailing_space": b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 \r\n",
    "leading_zero": b"PROXY TCP4 192.0.2.07 198.51.100.1 4711 443\r\n",
    "address_too_large": b"PROXY TCP4 192.0.2.777 198.51.100.1 4711 443\r\n",
    "families_mixed": b"PROXY TCP4 2001:db8::7 198.51.100.1 4711 443\r\n",
    "ipv4_as_tcp6": b"PROXY TCP6 192.0.2.7 198.51.100.1 4711 443\r\n",
    "zone": b"PROXY TCP6 fe80::1%eth0 ::1 4711 443\r\n",
    "port_leading_zero": b"PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n",
    "port_too_large": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
    "port_signed": b"PROXY TCP4 192.0.2.7 198.51.100.1 +4711 443\r\n",
    "port_of_other_digits": "PROXY TCP4 192.0.2.7 198.51.100.1 4711 ٤\r\n".encode(),
    "unknown_runs_on": b"PROXY UNKNOWNX\r\n",
    "line_without_end": b"PROXY UNKNOWN" + b" " * 200,
    "field_without_end": b"PROXY TCP4 " + b"1" * 200,
    "zero_octet": b"PROXY TCP4 192.0.2.7\0 198.51.100.1 4711 443\r\n",
    "signature_broken": SIGNATURE[:11] + b"\r" + binary(0x21, 0x11, V4)[12:],
    "version_1_in_binary": binary(0x11, 0x11, V4),
    "version_3": binary(0x31, 0x11, V4),
    "command_2": binary(0x22, 0x11, V4),
    "family_4": binary(0x21, 0x41, V4),
    "transport_3": binary(0x21, 0x13, V4),
    "too_long": binary(0x21, 0x11, V4, 65535),
    "one_too_long": binary(0x21, 0x11, V4 + value(4, bytes(HEADER_BYTES_MAX - 30))),
    "ipv4_too_short": binary(0x21, 0x11, V4[:11]),
    "ipv6_too_short": binary(0x21, 0x21, V4),
    "unix_too_short": binary(0x21, 0x31, bytes(215)),
    "value_cut": binary(0x21, 0x11, V4 + b"\1\0"),
    "value_beyond": binary(0x21, 0x11, V4 + b"\1\0\5abcd"),
    "checksum_wrong": summed(V4)[:-1] + bytes([summed(V4)[-1] ^ 1]),
    "checksum_of_3_octets": binary(0x21, 0x11, V4 + value(3, b"abc")),
}


@pytest.mark.parametrize("name", BAD)
def test_header__hostile__is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(ProxyHeaderError, match="it"):
        read(BAD[name] + REQUEST * 20)


hosts4 = st.ip_addresses(v=4).map(str)
hosts6 = st.ip_addresses(v=6).map(str)
ports = st.integers(0, 65535)


@given(st.one_of(st.tuples(hosts4, hosts4), st.tuples(hosts6, hosts6)), ports, ports)
def test_header__of_any_connection__either_version_says_the_same(
    hosts: tuple[str, str], port: int, local: int
) -> None:
    flow = pack_flow((hosts[1], local), (hosts[0], port))
    is_ipv6 = ":" in hosts[0]
    line = f"PROXY TCP{6 if is_ipv6 else 4} {hosts[0]} {hosts[1]} {port} {local}\r\n".encode()
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    body = b"".join(socket.inet_pton(family, host) for host in hosts)
    body += port.to_bytes(2, "big") + local.to_bytes(2, "big")
    both = {read(line + REQUEST), read(binary(0x21, 0x21 if is_ipv6 else 0x11, body) + REQUEST)}
    assert both == {(flow, REQUEST)}


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(SIGNATURE.__add__)), st.data())
def test_octets__of_any_kind__are_refused_or_read_within_the_bounds(
    octets: bytes, data: st.DataObject
) -> None:
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(GOOD)))
        at = data.draw(st.integers(0, len(GOOD[name][0]) - 1))
        header = bytearray(GOOD[name][0])
        header[at] = data.draw(st.integers(0, 255))
        octets = bytes(header) + octets
    try:
        flow, left = read(octets)
    except (ProxyHeaderError, EOFError):
        return
    assert len(flow) in (0, 36)
    taken = octets[: len(octets) - len(left)]
    assert len(taken) <= (LINE_BYTES_MAX if taken.startswith(b"PROXY") else HEADER_BYTES_MAX)


def test_crc32c__of_rfc_3720() -> None:
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"123456789") == 0xE3069283
