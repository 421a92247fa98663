"""What the kernel says of routes, neighbours and links, and when it changes."""

import select
import socket
from collections.abc import Iterator

import pytest

from gossamer.ffi.hops import Hop, find_hop
from gossamer.ffi.rtnetlink import NeighbourChange, RoutingChanges, Rtnetlink
from gossamer.loadtest.namespaces import LEFT_V4, LEFT_V6, RIGHT_V4, RIGHT_V6, Namespace, NamespaceError

pytestmark = pytest.mark.needs("namespaces")


def octets(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def hardware(space: Namespace) -> bytes:
    text = space.run(["cat", "/sys/class/net/eth0/address"])
    return bytes.fromhex(text.strip().replace(":", ""))


def index(space: Namespace) -> int:
    return int(space.run(["cat", "/sys/class/net/eth0/ifindex"]))


def meet(left: Namespace, right: Namespace, peer: str) -> None:
    """A datagram there, and what comes back: after that each knows the other."""
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with right.entered():
        there = socket.socket(family, socket.SOCK_DGRAM)
    with left.entered():
        here = socket.socket(family, socket.SOCK_DGRAM)
    with there, here:
        there.bind((peer, 7_707))
        there.settimeout(10)
        here.sendto(b"hello", (peer, 7_707))
        assert there.recv(10) == b"hello"


@pytest.fixture
def routing(joined_namespaces: tuple[Namespace, Namespace]) -> Iterator[Rtnetlink]:
    """Of the namespace on the left."""
    left, _ = joined_namespaces
    with left.entered():
        asked = Rtnetlink()
    yield asked
    asked.close()


@pytest.mark.parametrize(("ours", "peer"), [(LEFT_V4, RIGHT_V4), (LEFT_V6, RIGHT_V6)], ids=["IPv4", "IPv6"])
def test_neighbour__once_the_kernel_knows_it__there_is_a_hop(
    joined_namespaces: tuple[Namespace, Namespace], routing: Rtnetlink, ours: str, peer: str
) -> None:
    left, right = joined_namespaces
    assert find_hop(routing, octets(peer), octets(ours)) is None, "nobody has asked for it yet"
    meet(left, right, peer)
    hop = Hop(index(left), octets(peer), hardware(right), hardware(left), 1_500)
    assert find_hop(routing, octets(peer), octets(ours)) == hop
    left.run(["ip", "link", "set", "eth0", "mtu", "1300"])
    found = find_hop(routing, octets(peer), octets(ours))
    assert found is None or found.mtu == 1_300


def test_route__through_a_gateway_with_an_mtu__says_both(
    joined_namespaces: tuple[Namespace, Namespace], routing: Rtnetlink
) -> None:
    left, right = joined_namespaces
    left.run(["ip", "route", "add", "198.51.100.0/24", "via", RIGHT_V4, "mtu", "1400"])
    left.run(["ip", "neigh", "replace", RIGHT_V4, "lladdr", "02:00:00:00:00:09", "dev", "eth0"])
    found = find_hop(routing, octets("198.51.100.7"), octets(LEFT_V4))
    expected = (index(left), octets(RIGHT_V4), bytes.fromhex("020000000009"), hardware(left), 1_400)
    assert found == expected != hardware(right)


@pytest.mark.parametrize(
    ("peer", "ours"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", id="loopback"),
        pytest.param(LEFT_V4, LEFT_V4, id="this host"),
        pytest.param("203.0.113.1", LEFT_V4, id="no route"),
        pytest.param(RIGHT_V4, "203.0.113.9", id="a source that is not ours"),
        pytest.param("10.77.0.255", LEFT_V4, id="broadcast"),
        pytest.param("224.0.0.1", LEFT_V4, id="multicast"),
        pytest.param("10.77.0.9", LEFT_V4, id="a neighbour that does not answer"),
    ],
)
def test_no_single_neighbour__no_hop(routing: Rtnetlink, peer: str, ours: str) -> None:
    assert find_hop(routing, octets(peer), octets(ours)) is None


@pytest.mark.parametrize(
    "encapsulation",
    [
        "10.9.9.0/24 encap ip id 5 dst 10.7.7.7 via 10.77.0.2",
        "fd09::/64 encap seg6 mode encap segs fd00::99 via fd77::2",
    ],
)
def test_route__in_another_packet__no_hop(
    joined_namespaces: tuple[Namespace, Namespace], routing: Rtnetlink, encapsulation: str
) -> None:
    left, _ = joined_namespaces
    family = "-6" if "::" in encapsulation else "-4"
    try:
        left.run(["ip", family, "route", "add", *encapsulation.split(), "dev", "eth0"])
    except NamespaceError as error:
        pytest.skip(f"this kernel has no such routes: {error}")
    peer, ours = ("fd09::1", LEFT_V6) if family == "-6" else ("10.9.9.1", LEFT_V4)
    assert routing.route(octets(peer), octets(ours)) is None


def test_rule__by_source__decides(joined_namespaces: tuple[Namespace, Namespace], routing: Rtnetlink) -> None:
    left, _ = joined_namespaces
    left.run(["ip", "addr", "add", "10.77.0.3/24", "dev", "eth0"])
    left.run(["ip", "rule", "add", "from", "10.77.0.3", "lookup", "77"])
    left.run(["ip", "route", "add", "default", "via", "10.77.0.4", "dev", "eth0", "table", "77"])
    left.run(["ip", "neigh", "replace", "10.77.0.4", "lladdr", "02:00:00:00:00:04", "dev", "eth0"])
    found = find_hop(routing, octets(RIGHT_V4), octets("10.77.0.3"))
    assert found is not None
    assert found.next_hop == octets("10.77.0.4")


@pytest.mark.parametrize(
    "command",
    [
        ["ip", "link", "set", "eth0", "mtu", "1400"],
        ["ip", "link", "set", "eth0", "down"],
        ["ip", "route", "add", "198.51.100.0/24", "via", RIGHT_V4],
        ["ip", "-6", "route", "add", "2001:db8::/64", "via", RIGHT_V6],
        ["ip", "rule", "add", "from", "10.77.0.1", "lookup", "77"],
        ["ip", "-6", "rule", "add", "from", "fd77::1", "lookup", "77"],
        ["ip", "addr", "add", "10.77.0.3/24", "dev", "eth0"],
    ],
    ids=" ".join,
)
def test_change__of_routing__nothing_holds(
    joined_namespaces: tuple[Namespace, Namespace], command: list[str]
) -> None:
    left, _ = joined_namespaces
    with left.entered():
        changes = RoutingChanges()
    assert changes.take(9) == []
    left.run(command)
    assert select.select([changes.fd], [], [], 5)[0]
    assert changes.take(99) is None
    changes.close()


def test_change__of_a_neighbour__is_named(joined_namespaces: tuple[Namespace, Namespace]) -> None:
    left, _ = joined_namespaces
    with left.entered():
        changes = RoutingChanges()
    heard: list[NeighbourChange] = []
    for command in (["replace", RIGHT_V4, "lladdr", "02:00:00:00:00:09"], ["del", RIGHT_V4]):
        while select.select([changes.fd], [], [], 0.3)[0]:
            changes.take(99)  # of a link that is still new
        left.run(["ip", "neigh", *command, "dev", "eth0"])
        heard += [each for each in changes.take(99) or [] if each.address == octets(RIGHT_V4)]
    assert heard[0] == NeighbourChange(index(left), octets(RIGHT_V4), bytes.fromhex("020000000009"))
    assert heard[-1].hardware == b""
    changes.close()
