"""Which connection, TIME-WAIT record or listener a segment belongs to, and how many there may be."""

import pytest

from gossamer.core.clock import NEVER_US
from gossamer.core.demux import Demux
from gossamer.core.errors import BoundExceeded
from gossamer.core.networks import NetworkCounts
from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.wire.flow import Flow, pack_flow

LOCAL = ("10.0.0.2", 80)


def flow(port: int, local: tuple[str, int] = LOCAL) -> Flow:
    return pack_flow(local, ("10.0.0.1", port))


@pytest.fixture
def demux() -> Demux[str, str, bytes]:
    return Demux(connections_max=3, time_wait_max=2)


def test_add__beyond_the_bound__names_it(demux: Demux[str, str, bytes]) -> None:
    for port in range(3):
        demux.add(flow(port), "connection")
    assert demux.is_full
    with pytest.raises(BoundExceeded, match=r"tcp\.connections_max"):
        demux.add(flow(9), "one more")


@pytest.mark.parametrize("anywhere", ["0.0.0.0", "::"])
def test_listener__exact_address_before_any(demux: Demux[str, str, bytes], anywhere: str) -> None:
    demux.listen((anywhere, 80), "any")
    assert demux.find_listener(flow(1)) == "any"
    demux.listen(LOCAL, "exact")
    assert demux.find_listener(flow(1)) == "exact"
    assert demux.find_listener(flow(1, ("10.0.0.3", 80))) == "any"
    assert demux.find_listener(flow(1, ("fd00::3", 80))) == "any"
    assert demux.find_listener(flow(1, ("10.0.0.2", 81))) is None
    demux.unlisten(LOCAL)
    assert demux.find_listener(flow(1)) == "any"


def test_listen__no_address__refused_as_acceptors_do(demux: Demux[str, str, bytes]) -> None:
    with pytest.raises(ValueError, match="''"):
        demux.listen(("", 80), "any")


def test_listen__twice__address_in_use(demux: Demux[str, str, bytes]) -> None:
    demux.listen(LOCAL, "first")
    with pytest.raises(OSError, match="already listened on") as caught:
        demux.listen(LOCAL, "second")
    assert caught.value.errno == 98


def test_time_wait__beyond_the_bound__the_oldest_goes(demux: Demux[str, str, bytes]) -> None:
    for number in range(3):
        record = replace(states.time_wait(), expires_at_us=100 + number)
        demux.keep_time_wait(flow(number), record)
    assert list(demux.time_wait) == [flow(1), flow(2)]
    assert demux.time_wait_deadline_us() == 101


def test_time_wait__kept_again__is_the_latest(demux: Demux[str, str, bytes]) -> None:
    record = states.time_wait()
    demux.keep_time_wait(flow(1), replace(record, expires_at_us=1))
    demux.keep_time_wait(flow(2), replace(record, expires_at_us=2))
    demux.keep_time_wait(flow(1), replace(record, expires_at_us=3))
    assert list(demux.time_wait) == [flow(2), flow(1)]


def test_time_wait__expires__in_order_and_within_the_limit(demux: Demux[str, str, bytes]) -> None:
    for number in range(2):
        record = replace(states.time_wait(), expires_at_us=10 * number)
        demux.keep_time_wait(flow(number), record)
    demux.expire_time_wait(100, limit=1)
    assert list(demux.time_wait) == [flow(1)]
    demux.expire_time_wait(9, limit=5)
    assert len(demux.time_wait) == 1
    demux.expire_time_wait(10, limit=5)
    assert demux.time_wait_deadline_us() == NEVER_US


def test_networks__every_way_in_and_out__counted_while_it_is_there(demux: Demux[str, str, bytes]) -> None:
    demux.networks = counts = NetworkCounts()
    demux.add_half_open(flow(1), "half open")
    assert len(counts) == 0
    demux.establish(flow(1))
    demux.park(flow(1), b"parked")
    demux.unpark(flow(1), "awake")
    demux.add(flow(2), "early")
    demux.put_parked(flow(3), b"has come")
    assert counts.of("10.0.0.1") == 3
    demux.remove(flow(2))
    demux.remove(flow(2))
    demux.remove_parked(flow(3))
    demux.park(flow(1), b"parked")
    assert counts.of("10.0.0.1") == 1
    demux.remove_parked(flow(1))
    assert len(counts) == 0
