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
from gossamer.loadtest.namespaces import LEFT_V4, LEFT_V6, RIGHT_V4, RIGHT_V6, Namespace, namespace
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


HOSTS = list(dict.fromkeys(case.host for case in FRAMES))


@pytest.mark.parametrize("host", HOSTS)
def test_syn__in_a_frame_of_a_neighbour__as_with_the_kernels_tcp(
    joined_namespaces: Spaces, folder: Path, start: Start, host: str
) -> None:
    start(joined_namespaces[1], folder, stack="nfqueue", port=PORT, host=host)
    assert met("nfqueue", joined_namespaces, host) == expected(host)


def test_syn__in_a_frame_of_a_neighbour__of_the_kernels_tcp_itself(joined_namespaces: Spaces) -> None:
    """The same, to a socket: a handshake is all that is asked."""
    _, server = joined_namespaces
    for host in HOSTS:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with server.entered():
            listening = socket.create_server((host, PORT), family=family, dualstack_ipv6=host == "::")
        with listening:
            assert met("kernel", joined_namespaces, host) == expected(host)


def expected(host: str) -> dict[str, str]:
    """What must come of each frame to a server that listens there."""
    return {case.name: case.expected for case in FRAMES if case.host == host}


def met(stack: str, spaces: Spaces, host: str) -> dict[str, str]:
    """What comes of them, each from a port of its own; what comes must come soon."""
    client, server = spaces
    ours, theirs = (place.hardware_address("eth0") for place in spaces)
    # The neighbour would answer whoever asks for its hardware address, even 127.0.0.1.
    lladdr = f"lladdr {ours.hex(':')} dev eth0"
    server.ip(*(f"neigh replace {address} {lladdr}" for address in (LEFT_V4, LEFT_V6)))
    cases = {PEER_PORT + number: case for number, case in enumerate(FRAMES) if case.host == host}
    with packet_socket(client, "eth0") as wire, packet_socket(server) as heard:
        for peer_port, case in cases.items():
            syn = packet(case.source, case.destination, SYN_SENT, peer_port)
            wire.send(frame(BROADCAST_MAC if case.to_all else theirs, ours, syn))
        wanted = {peer_port for peer_port, case in cases.items() if case.expected == ANSWERED}
        answered = ports_answered(heard, wanted)
    found = {case.name: ANSWERED if port in answered else SILENCE for port, case in cases.items()}
    for name, outcome in found.items():
        print(f"{stack:8}{outcome:10}a SYN {name}")  # the table, with pytest -s
    return found


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
    ours, theirs = (place.hardware_address("eth0") for place in spaces)

    def send(segment: Segment) -> Segment:
        for piece in in_two(packet(source, destination, segment, peer_port)):
            wire.send(frame(theirs, ours, piece))
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
    wire.send(frame(theirs, ours, reset))


@contextlib.contextmanager
def behind_a_router(mtu: int) -> Iterator[Spaces]:
    """A client and a server; what the router between them sends to the server is at most so long."""
    with namespace() as client, namespace() as router, namespace() as server:
        for place, net in ((client, "10.79.1"), (server, "10.79.2")):
            device = f"to{net[-1]}"
            router.ip(
                f"link add {device} type veth peer name eth0 netns {place.name}",
                f"addr add {net}.1/24 dev {device}",
                f"link set {device} up",
            )
            place.ip(f"addr add {net}.2/24 dev eth0", "link set eth0 up", f"route add default via {net}.1")
        router.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        router.ip(f"link set to2 mtu {mtu}")
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


class Family(NamedTuple):
    """Two links between a client and a server, whose addresses end with the side's number."""

    option: str
    command: str
    prefixes: tuple[str, str]
    length: int
    client: str
    """The client's address, which is behind both."""


IPV4 = Family("-4", "iptables", ("10.81.0.", "10.82.0."), 24, "10.83.0.1")
IPV6 = Family("-6", "ip6tables", ("fd81::", "fd82::"), 64, "fd83::1")
UPLINKS = ("up0", "up1")


def join_twice(client: Namespace, server: Namespace) -> None:
    """The server's default route is the first uplink; a rule on the source sends by the second what is its.

    Each uplink takes only what is from its own network, as providers do.
    """
    client.ip(*(f"link add {name} type veth peer name {name} netns {server.name}" for name in UPLINKS))
    for place in (client, server):
        place.ip(*(f"link set {name} up" for name in UPLINKS))
    for family in (IPV4, IPV6):
        client.ip(f"addr add {family.client} dev lo")
        nodad = " nodad" * (family is IPV6)
        for number, (name, prefix) in enumerate(zip(UPLINKS, family.prefixes, strict=True)):
            client.ip(f"addr add {prefix}1/{family.length} dev {name}{nodad}")
            server.ip(
                f"addr add {prefix}2/{family.length} dev {name}{nodad}",
                f"route add default via {prefix}1 table {100 + number}",
                f"rule add from {prefix}2 lookup {100 + number}",
                options=[family.option],
            )
            other = family.prefixes[1 - number]
            client.run([family.command, "-A", "INPUT", "-i", name, "-s", f"{other}2", "-j", "DROP"])
        server.ip(f"route add default via {family.prefixes[0]}1", options=[family.option])


def route_by_marks(server: Namespace) -> None:
    """Instead of by its source: what comes by the second uplink is marked, and its replies with it."""
    for family in (IPV4, IPV6):
        for prefix in family.prefixes:
            server.ip(f"rule del from {prefix}2", options=[family.option])
        server.ip("rule add fwmark 1 lookup 101", options=[family.option])
        for rule in ("PREROUTING -i up1 -j CONNMARK --set-mark 1", "OUTPUT -j CONNMARK --restore-mark"):
            server.run([family.command, "-t", "mangle", "-A", *rule.split()])


def test_reply__of_a_server_with_two_uplinks__leaves_by_its_source_or_by_the_mark_of_its_connection(
    namespace_pair: Spaces, site: Path, start: Start, stack: str
) -> None:
    """By the default route, and by the other; of both families."""
    client, server = namespace_pair
    join_twice(client, server)
    start(server, site, stack=stack, port=PORT, host="::")
    for way in ("source", "mark"):
        if way == "mark":
            route_by_marks(server)
        assert_each_uplink_answers(client, way)


def assert_each_uplink_answers(client: Namespace, way: str) -> None:
    for family in (IPV4, IPV6):
        for prefix in family.prefixes:
            url = f"http://[{prefix}2]:{PORT}/" if family is IPV6 else f"http://{prefix}2:{PORT}/"
            assert request(client, url, ANSWERED, "--interface", family.client) == ANSWERED, (way, prefix)
