"""The decider of the bad link: repeatable, and as often as asked."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.loadtest.faults import INTACT, LinkFaults, PacketDelivery, decide, flip

PACKETS = 40_000
ALL = LinkFaults(loss=0.02, reorder=0.03, duplicate=0.01, corrupt=0.005, delay_us=100, reorder_us=900)


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_decide__same_seed_and_number__same_deliveries(seed: int, number: int) -> None:
    assert decide(ALL, seed, number, 1500) == decide(ALL, seed, number, 1500)


def test_decide__perfect_link__delivers_each_once_at_once() -> None:
    assert all(decide(LinkFaults(), 7, n, 40) == (PacketDelivery(0),) for n in range(1000))


def test_decide__many_packets__faults_are_as_frequent_as_asked() -> None:
    fates = [decide(ALL, 7, n, 1500) for n in range(PACKETS)]
    arrived = [fate[0] for fate in fates if fate]
    assert fates.count(()) / PACKETS == pytest.approx(0.02, rel=0.15)
    assert sum(len(fate) == 2 for fate in fates) / PACKETS == pytest.approx(0.01, rel=0.2)
    assert sum(d.is_reordered for d in arrived) / PACKETS == pytest.approx(0.03, rel=0.15)
    assert sum(d.flipped_bit != INTACT for d in arrived) / PACKETS == pytest.approx(0.005, rel=0.25)
    assert {d.delay_us for d in arrived} == {100, 1000}


def test_decide__other_seed__loses_other_packets() -> None:
    lost = [{n for n in range(5000) if not decide(ALL, seed, n, 40)} for seed in (1, 2)]
    assert lost[0] != lost[1]


@given(st.binary(min_size=1, max_size=64), st.data())
def test_flip__a_bit__twice_is_the_packet_again(packet: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(packet) - 1))
    assert flip(packet, bit) != packet
    assert flip(flip(packet, bit), bit) == packet
    assert flip(packet, INTACT) is packet


@given(st.integers(0, 2**32), st.integers(1, 1500))
def test_decide__corrupt__flips_inside_the_packet(number: int, length: int) -> None:
    (delivery,) = decide(LinkFaults(corrupt=1.0), 7, number, length)
    assert 0 <= delivery.flipped_bit < 8 * length


@pytest.mark.parametrize("wrong", [{"loss": 1.5}, {"corrupt": -0.1}, {"delay_us": -1}, {"los": 0.1}])
def test_faults__impossible__are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError)):
        msgspec.convert(wrong, LinkFaults)
