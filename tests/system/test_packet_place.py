"""Packets that are no plain request: frames from a neighbour to addresses that must not come over a wire, IP
fragments, replies that policy routing sends by their source. Both stacks, one expected value."""

import contextlib
import itertools
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gossamer.core.wire.checksum import checksum
from gossamer.core.wire.flow import local_port, pack_address, pack_flow, remote_address
from gossamer.core.wire.ipv6 import build_ipv6
from gossamer.core.wire.packet import build_packet, parse_packet
from gossamer.core.wire.segment import ACK, PSH, RST, SYN, Segment, SynOptions
from gossamer.core.wire.tcp import build_tcp
from gossamer.loadtest.namespaces import LEFT_V4, LEFT_V6, RIGHT_V4, RIGHT_V6, Namespace, namespace, run
from gossamer.loadtest.servers import Gossamer

from .reaching import ANSWERED, SILENCE, SILENCE_S, apply, request

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7891
PEER_PORT = 40_100
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
OUTGOING = 4
BROADCAST_MAC = b"\xff" * 6
Spaces = tuple[Namespace, Namespace]
Start = Callable[..., Gossamer]


def mac_of(place: Namespace) -> bytes:
    """The hardware address of its eth0."""
    shown = place.run(["cat", "/sys/class/net/eth0/address"])
    return bytes.fromhex(shown.strip().replace(":", ""))


@contextlib.contextmanager
def packet_socket(place: Namespace, interface: str = "") -> Iterator[socket.socket]:
    """Frames of one interface, or of all that there are."""
    with place.entered():
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    with made:
        if interface:
            with place.entered():
                made.bind((interface, ETH_P_ALL))
        yield made


def frame(destination: bytes, source: bytes, packet: bytes) -> bytes:
    kind = ETH_P_IP if packet[0] >> 4 == 4 else ETH_P_IPV6
    return destination + source + struct.pack("!H", kind) + packet


def segments_from(heard: socket.socket, port: int, wait_s: float) -> Iterator[tuple[int, Segment]]:
    """What leaves that port in so much time, whatever the interface, each with the port that it goes to."""
    end = time.monotonic() + wait_s
    while (left_s := end - time.monotonic()) > 0 and select.select([heard], [], [], left_s)[0]:
        data = heard.recv(65536)
        match parse_packet(data[14:], checksum_ready=False):
            case (flow, Segment() as segment) if remote_address(flow)[1] == port:
                yield local_port(flow), segment


class Frame(NamedTuple):
    """A SYN in a frame from a neighbour, and what must come of it."""

    name: str
    source: str
    destination: str
    expected: str
    host: str = "0.0.0.0"
    """Where the server listens."""
    to_all: bool = False
    """Whether the frame is for every station of the link."""


FRAMES = (
    Frame("an honest one", LEFT_V4, RIGHT_V4, ANSWERED),
    Frame("an honest one, IPv6", LEFT_V6, RIGHT_V6, ANSWERED, "::"),
    Frame("to 127.0.0.1, where the server is", LEFT_V4, "127.0.0.1", SILENCE, "127.0.0.1"),
    Frame("to 127.0.0.1, of a server on all", LEFT_V4, "127.0.0.1", SILENCE),
    Frame("to 127.9.9.9, of a server on all", LEFT_V4, "127.9.9.9", SILENCE),
    Frame("from 127.0.0.1", "127.0.0.1", RIGHT_V4, SILENCE),
    Frame("from 127.9.9.9", "127.9.9.9", RIGHT_V4, SILENCE),
    Frame("from 127.0.0.1 to 127.0.0.1", "127.0.0.1", "127.0.0.1", SILENCE, "127.0.0.1"),
    Frame("from the server's own address", RIGHT_V4, RIGHT_V4, SILENCE),
    Frame("from 0.0.0.0", "0.0.0.0", RIGHT_V4, SILENCE),
    Frame("from the broadcast address", "255.255.255.255", RIGHT_V4, SILENCE),
    Frame("from a multicast address", "224.0.0.9", RIGHT_V4, SILENCE),
    Frame("to the link's broadcast address", LEFT_V4, "10.77.0.255", SILENCE),
    Frame("to a multicast address", LEFT_V4, "224.0.0.1", SILENCE),
    Frame("to an address that is nobody's", LEFT_V4, "10.77.0.77", SILENCE),
    Frame("in a broadcast frame", LEFT_V4, RIGHT_V4, SILENCE, to_all=True),
    Frame("in a broadcast frame, IPv6", LEFT_V6, RIGHT_V6, SILENCE, "::", to_all=True),
    Frame("to ::1, where the server is", LEFT_V6, "::1", SILENCE, "::1"),
    Frame("to ::1, of a server on all", LEFT_V6, "::1", SILENCE, "::"),
    Frame("from ::1", "::1", RIGHT_V6, SILENCE, "::"),
    Frame("to all nodes of the link", LEFT_V6, "ff02::1", SILENCE, "::"),
    Frame("from a mapped address", "::ffff:10.77.0.1", RIGHT_V6, SILENCE, "::"),
    Frame("to a mapped 127.0.0.1", LEFT_V6, "::ffff:127.0.0.1", SILENCE, "::"),
)


def packet(source: str, destination: str, segment: Segment, peer_port: int) -> bytes:
    """A segment from one address to the server's port at another; what has a colon goes over IPv6."""
    if ":" not in source:
        return build_packet(pack_flow((source, peer_port), (destination, PORT)), segment)
    addresses = pack_address(source), pack_address(destination)
    body = build_tcp(*addresses, struct.pack("!HH", peer_port, PORT), segment)
    return build_ipv6(*addresses, body)


SYN_SENT = Segment(1000, 0, SYN, 65535, syn_options=SynOptions(1460, 7, True))


@pytest.mark.parametrize("host", list(dict.fromkeys(case.host for case in FRAMES)))
def test_syn__in_a_frame_of_a_neighbour__as_with_the_kernels_tcp(
    joined_namespaces: Spaces, folder: Path, start: Start, stack: str, host: str
) -> None:
    """All frames to a server that listens there, each from a port of its own; what comes must come soon."""
    client, server = joined_namespaces
    start(server, folder, stack=stack, port=PORT, host=host)
    # The neighbour would answer whoever asks for its hardware address, even 127.0.0.1.
    for address in (LEFT_V4, LEFT_V6):
        server.run(["ip", "neigh", "replace", address, "lladdr", mac_of(client).hex(":"), "dev", "eth0"])
    cases = {PEER_PORT + number: case for number, case in enumerate(FRAMES) if case.host == host}
    with packet_socket(client, "eth0") as wire, packet_socket(server) as heard:
        for peer_port, case in cases.items():
            to = BROADCAST_MAC if case.to_all else mac_of(server)
            syn = packet(case.source, case.destination, SYN_SENT, peer_port)
            wire.send(frame(to, mac_of(client), syn))
        wanted = {peer_port for peer_port, case in cases.items() if case.expected == ANSWERED}
        answered = ports_answered(heard, wanted)
    met = {case.name: ANSWERED if port in answered else SILENCE for port, case in cases.items()}
    for name, outcome in met.items():
        print(f"{stack:8}{outcome:10}a SYN {name}")  # the table, with pytest -s
    assert met == {case.name: case.expected for case in cases.values()}


def ports_answered(heard: socket.socket, wanted: set[int]) -> set[int]:
    """The ports to which an answer went: of those that want one in a while, of the others soon after."""
    answered: set[int] = set()
    for wait_s in (5.0 if wanted else 0.0, SILENCE_S):
        for port, _ in segments_from(heard, PORT, wait_s):
            answered.add(port)
            if wait_s > SILENCE_S and wanted <= answered:
                break
    return answered


CUT = 24
"""Octets of TCP in the first fragment: it ends in the middle of the options, or of what is asked."""
NEXT_FRAGMENT, NEXT_TCP = 44, 6


def in_two(whole: bytes) -> list[bytes]:
    """The two fragments of an IP packet."""
    if whole[0] >> 4 == 6:
        return [
            ipv6_fragment(whole, slice(40, 40 + CUT), 1),
            ipv6_fragment(whole, slice(40 + CUT, None), CUT),
        ]
    more = 0x2000
    return [
        ipv4_fragment(whole, slice(20, 20 + CUT), more),
        ipv4_fragment(whole, slice(20 + CUT, None), CUT // 8),
    ]


def ipv4_fragment(whole: bytes, part: slice, offset: int) -> bytes:
    before = whole[:2] + struct.pack("!HHH", 20 + len(whole[part]), 77, offset) + whole[8:10]
    total = checksum(before + bytes(2) + whole[12:20])
    return before + struct.pack("!H", total) + whole[12:20] + whole[part]


def ipv6_fragment(whole: bytes, part: slice, offset: int) -> bytes:
    before = whole[:4] + struct.pack("!HBB", 8 + len(whole[part]), NEXT_FRAGMENT, 64) + whole[8:40]
    return before + struct.pack("!BBHI", NEXT_TCP, 0, offset, 77) + whole[part]


def test_request__in_ip_fragments__answered(
    joined_namespaces: Spaces, site: Path, start: Start, stack: str
) -> None:
    client, server = joined_namespaces
    start(server, site, stack=stack, port=PORT, host="::")
    # The client's own TCP knows nothing of these connections.
    mute = "OUTPUT -p tcp --sport 40000:50000 -j DROP"
    apply(client, (f"iptables -A {mute}", f"ip6tables -A {mute}"))
    ports = itertools.count(PEER_PORT)
    for is_tracked in (False, True):
        if is_tracked:
            track = "INPUT -m conntrack --ctstate INVALID -j DROP"
            apply(server, (f"iptables -A {track}", f"ip6tables -A {track}"))
        for source, destination in ((LEFT_V4, RIGHT_V4), (LEFT_V6, RIGHT_V6)):
            with packet_socket(client, "eth0") as wire:
                ask_in_fragments(wire, (client, server), source, destination, next(ports))


def ask_in_fragments(
    wire: socket.socket, spaces: Spaces, source: str, destination: str, peer_port: int
) -> None:
    """A handshake and a request, each packet in two."""
    client, server = spaces

    def send(segment: Segment) -> Segment:
        for piece in in_two(packet(source, destination, segment, peer_port)):
            wire.send(frame(mac_of(server), mac_of(client), piece))
        for port, answer in segments_from(wire, PORT, 5.0):
            if port == peer_port:
                return answer
        pytest.fail(f"no answer to {source}, {peer_port}")

    opened = send(SYN_SENT)
    assert opened.flags == SYN | ACK
    asked = Segment(1001, opened.seq + 1, ACK | PSH, 65535, payload=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = send(asked)
    assert answer.ack == 1001 + len(asked.payload)
    # Nobody will acknowledge the answer: the server need not wait for it at its end.
    reset = packet(source, destination, Segment(answer.ack, 0, RST, 0), peer_port)
    wire.send(frame(mac_of(server), mac_of(client), reset))


@contextlib.contextmanager
def behind_a_router(mtu: int) -> Iterator[Spaces]:
    """A client and a server; what the router between them sends to the server is at most so long."""
    with namespace() as client, namespace() as router, namespace() as server:
        for place, net in ((client, "10.79.1"), (server, "10.79.2")):
            peer = ["peer", "name", "eth0", "netns", place.name]
            run(["ip", "link", "add", f"to{net[-1]}", "netns", router.name, "type", "veth", *peer])
            router.run(["ip", "addr", "add", f"{net}.1/24", "dev", f"to{net[-1]}"])
            router.run(["ip", "link", "set", f"to{net[-1]}", "up"])
            place.run(["ip", "addr", "add", f"{net}.2/24", "dev", "eth0"])
            place.run(["ip", "link", "set", "eth0", "up"])
            place.run(["ip", "route", "add", "default", "via", f"{net}.1"])
        router.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        router.run(["ip", "link", "set", "to2", "mtu", str(mtu)])
        yield client, server


def test_request__without_df_through_a_narrow_router__answered(site: Path, start: Start, stack: str) -> None:
    """The request is of several packets, and the router cuts each."""
    with behind_a_router(1000) as (client, server):
        client.run(["sysctl", "-qw", "net.ipv4.ip_no_pmtu_disc=1"])
        start(server, site, stack=stack, port=PORT)
        padding = f"X-Padding: {'x' * 6000}"
        assert request(client, f"http://10.79.2.2:{PORT}/", ANSWERED, "-H", padding) == ANSWERED
        joined = int(server.run(["nstat", "-asz", "IpReasmOKs"]).split()[-2])
    assert joined >= 4, "it did not come in fragments"


class Uplinks(NamedTuple):
    """Two links between a client and a server, whose addresses end with the side's number."""

    family: str
    command: str
    prefixes: tuple[str, str]
    length: int
    client: str
    """The client's address, which is behind both."""


IPV4 = Uplinks("-4", "iptables", ("10.81.0.", "10.82.0."), 24, "10.83.0.1")
IPV6 = Uplinks("-6", "ip6tables", ("fd81::", "fd82::"), 64, "fd83::1")


def join_twice(client: Namespace, server: Namespace, uplinks: Uplinks) -> None:
    """The server's default route is the first uplink; a rule on the source sends by the second what is its.

    Each uplink takes only what is from its own network, as providers do.
    """
    ip = ["ip", uplinks.family]
    client.run([*ip, "addr", "add", uplinks.client, "dev", "lo"])
    for number, (prefix, other) in enumerate((uplinks.prefixes, uplinks.prefixes[::-1])):
        name, table = f"up{number}", str(100 + number)
        peer = ["peer", "name", name, "netns", server.name]
        run(["ip", "link", "add", name, "netns", client.name, "type", "veth", *peer])
        for place, side in ((client, 1), (server, 2)):
            address = f"{prefix}{side}/{uplinks.length}"
            place.run([*ip, "addr", "add", address, "dev", name, *["nodad"][: uplinks is IPV6]])
            place.run(["ip", "link", "set", name, "up"])
        server.run([*ip, "route", "add", "default", "via", f"{prefix}1", "table", table])
        server.run([*ip, "rule", "add", "from", f"{prefix}2", "lookup", table])
        client.run([uplinks.command, "-A", "INPUT", "-i", name, "-s", f"{other}2", "-j", "DROP"])
    server.run([*ip, "route", "add", "default", "via", f"{uplinks.prefixes[0]}1"])


@pytest.mark.parametrize("uplinks", [IPV4, IPV6], ids=["IPv4", "IPv6"])
def test_reply__of_a_server_with_two_uplinks__leaves_by_its_source(
    namespace_pair: Spaces, site: Path, start: Start, stack: str, uplinks: Uplinks
) -> None:
    """By the default route, and by the other."""
    client, server = namespace_pair
    join_twice(client, server, uplinks)
    start(server, site, stack=stack, port=PORT, host="::")
    for prefix in uplinks.prefixes:
        url = f"http://[{prefix}2]:{PORT}/" if uplinks is IPV6 else f"http://{prefix}2:{PORT}/"
        assert request(client, url, ANSWERED, "--interface", uplinks.client) == ANSWERED, prefix
