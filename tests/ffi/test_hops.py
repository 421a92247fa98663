"""Which flows leave as frames: looked up once, and forgotten when it may not hold."""

import errno

import pytest

from gossamer.core.wire.flow import pack_flow
from gossamer.ffi.hops import HOPS_MAX, RAW, Hop, Hops, find_hop
from gossamer.ffi.rtnetlink import Interface, NeighbourChange, Route

OURS, PEER, GATEWAY = bytes((192, 0, 2, 1)), bytes((198, 51, 100, 9)), bytes((192, 0, 2, 254))
FLOW = pack_flow(("192.0.2.1", 80), ("198.51.100.9", 40_000))
SAME = pack_flow(("192.0.2.1", 80), ("198.51.100.9", 40_001))
OTHER = pack_flow(("2001:db8::1", 80), ("2001:db8::2", 40_000))
MAC, NEXT, NEW = b"\2ours\0", b"\2next\0", b"\2new\0\0"


class FixedRouting:
    """A `Routing` that says what it was given, and counts."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []
        self.the_route: Route | OSError | None = Route(2, GATEWAY, 0)
        self.the_link = Interface(True, True, MAC, 1_500)
        self.the_neighbour: bytes | None = NEXT

    def route(self, destination: bytes, source: bytes) -> Route | None:
        self.asked.append((destination, source))
        if isinstance(self.the_route, OSError):
            raise self.the_route
        return self.the_route

    def neighbour(self, link: int, address: bytes) -> bytes | None:
        assert (link, address) == (2, GATEWAY)
        return self.the_neighbour

    def link(self, index: int) -> Interface:
        assert index == 2
        return self.the_link


@pytest.fixture
def routing() -> FixedRouting:
    return FixedRouting()


@pytest.fixture
def placed() -> dict[int, Hop]:
    return {}


@pytest.fixture
def hops(routing: FixedRouting, placed: dict[int, Hop]) -> Hops:
    return Hops(routing, placed.__setitem__)


def test_flow__until_its_first_super_segment__leaves_raw(hops: Hops, routing: FixedRouting) -> None:
    assert hops.number(FLOW, RAW) == RAW
    assert not routing.asked


def test_flow__from_its_first_super_segment__all_of_it_leaves_as_frames(
    hops: Hops, routing: FixedRouting, placed: dict[int, Hop]
) -> None:
    number = hops.begin(FLOW)
    assert placed == {number: Hop(2, GATEWAY, NEXT, MAC, 1_500)}
    assert hops.number(FLOW, RAW) == hops.begin(FLOW) == number != RAW
    assert hops.number(SAME, RAW) == RAW, "each flow begins by itself"
    assert hops.begin(SAME) == number
    assert routing.asked == [(PEER, OURS)], "a destination is asked for once"
    hops.begin(OTHER)
    assert [len(each) for pair in routing.asked for each in pair] == [4, 4, 16, 16]


def test_route__with_an_mtu_of_its_own__that_one_holds(routing: FixedRouting) -> None:
    routing.the_route = Route(2, GATEWAY, 1_280)
    assert find_hop(routing, PEER, OURS) == Hop(2, GATEWAY, NEXT, MAC, 1_280)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("the_route", None, id="to this host"),
        pytest.param("the_route", OSError(errno.ENETUNREACH, "no route"), id="nowhere"),
        pytest.param("the_link", Interface(False, True, MAC, 1_500), id="no Ethernet"),
        pytest.param("the_link", Interface(True, False, MAC, 1_500), id="down"),
        pytest.param("the_link", Interface(True, True, b"", 1_500), id="without an address"),
        pytest.param("the_neighbour", None, id="a neighbour that is not known"),
    ],
)
def test_no_hop__stays_raw_and_is_not_asked_for_again_until_something_changes(
    hops: Hops, routing: FixedRouting, name: str, value: object
) -> None:
    before = getattr(routing, name)
    setattr(routing, name, value)
    assert hops.begin(FLOW) == hops.begin(FLOW) == RAW
    assert len(routing.asked) == 1
    setattr(routing, name, before)
    hops.changed([NeighbourChange(9, PEER, b"")])
    assert hops.begin(FLOW) == RAW, "nobody has come that could be it"
    hops.changed([NeighbourChange(9, PEER, NEXT)])
    assert hops.begin(FLOW) != RAW


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        pytest.param([NeighbourChange(2, GATEWAY, NEXT)], True, id="seen again"),
        pytest.param([NeighbourChange(2, GATEWAY, NEW)], False, id="another address"),
        pytest.param([NeighbourChange(2, GATEWAY, b"")], False, id="gone"),
        pytest.param([NeighbourChange(2, GATEWAY, b""), NeighbourChange(2, GATEWAY, NEXT)], True, id="back"),
        pytest.param([NeighbourChange(3, GATEWAY, NEW)], True, id="of another link"),
        pytest.param([NeighbourChange(2, PEER, NEW)], True, id="another neighbour"),
        pytest.param(None, False, id="anything else"),
    ],
)
def test_change__hop_that_does_not_hold__its_flows_leave_raw(
    hops: Hops, changes: list[NeighbourChange] | None, is_kept: bool
) -> None:
    number = hops.begin(FLOW)
    hops.changed(changes)
    assert hops.number(FLOW, RAW) == (number if is_kept else RAW)


def test_doubt__the_destination_is_looked_up_again(hops: Hops, routing: FixedRouting) -> None:
    hops.begin(FLOW)
    hops.begin(SAME)
    hops.doubt(FLOW)
    assert hops.number(FLOW, RAW) == hops.number(SAME, RAW) == RAW
    hops.begin(FLOW)
    assert len(routing.asked) == 2
    hops.doubt(OTHER)


def test_forget__the_next_connection_of_the_same_name_begins_anew(hops: Hops) -> None:
    hops.begin(FLOW)
    hops.forget(FLOW)
    hops.forget(FLOW)
    assert hops.number(FLOW, RAW) == RAW


def test_destinations__more_than_are_kept__one_without_flows_goes(hops: Hops, placed: dict[int, Hop]) -> None:
    flows = [pack_flow(("192.0.2.1", 80), (f"10.{n >> 8}.{n & 255}.1", 4_000)) for n in range(HOPS_MAX + 3)]
    numbers = [hops.begin(flow) for flow in flows[:HOPS_MAX]]
    assert set(numbers) == set(placed) == set(range(1, HOPS_MAX + 1))
    assert hops.begin(flows[HOPS_MAX]) == RAW, "all are in use"
    hops.forget(flows[1])
    assert hops.begin(flows[HOPS_MAX + 1]) == numbers[1]
    assert [hops.number(flow, RAW) for flow in flows[:3]] == [numbers[0], RAW, numbers[2]]
    assert hops.begin(flows[HOPS_MAX + 2]) == RAW
