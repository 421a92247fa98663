"""D-SACK, reported and heard: the examples of RFC 2883 4."""

import pytest

from gossamer.core.sim import states
from gossamer.core.sim.states import from_peer, segment_arrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.recovery import dsack
from gossamer.core.wire.segment import ACK, PSH, SackBlock

from .lossy import in_flight, replace, report

DATA = ACK | PSH


def relative(start: int, blocks: tuple[SackBlock, ...]) -> list[tuple[int, int]]:
    return [((left - start) & 0xFFFFFFFF, (right - start) & 0xFFFFFFFF) for left, right in blocks]


def reported(parameters: TcpParameters, *segments: tuple[int, int]) -> list[tuple[int, int]]:
    """The SACK blocks of the ACK of the last of the segments (offset, octets)."""
    tcb = states.established(parameters)
    start = tcb.rcv_nxt
    acks = []
    for offset, count in segments:
        tcb, acks = segment_arrives(
            tcb, replace(from_peer(tcb, DATA, b"d" * count), seq=(start + offset) & 0xFFFFFFFF)
        )
    assert tcb.reassembly is None or tcb.reassembly.duplicate is None, "reported once"
    return relative(start, acks[-1].sack)


@pytest.mark.parametrize(
    ("segments", "blocks"),
    [
        # 4.1: a segment below the cumulative acknowledgement.
        (((0, 500), (0, 500)), [(0, 500)]),
        # 4.1: the same, while more is held beyond a hole.
        (((0, 500), (1000, 500), (0, 500)), [(0, 500), (1000, 1500)]),
        # 4.2: inside a block that is held.
        (((500, 500), (1000, 500), (500, 500)), [(500, 1000), (500, 1500)]),
        # 4.1.3: a part of a segment.
        (((0, 1000), (500, 1000)), [(500, 1000)]),
    ],
)
def test_reported__the_duplicate_first_and_its_block_second(
    segments: tuple[tuple[int, int], ...], blocks: list[tuple[int, int]]
) -> None:
    assert reported(TcpParameters(), *segments) == blocks


def test_reported__too_old_for_paws__it_came_twice_all_the_same() -> None:
    """What went again meanwhile has moved TS.Recent: without a word of the original the peer would never
    learn that nothing was lost."""
    tcb = states.established()
    start = tcb.rcv_nxt
    tcb, _ = segment_arrives(tcb, from_peer(tcb, DATA, b"d" * 500, ts=400))
    late = replace(from_peer(tcb, DATA, b"d" * 500, ts=-400), seq=start)
    _, acks = segment_arrives(tcb, late)
    assert relative(start, acks[-1].sack) == [(0, 500)]


def test_off__nothing_is_reported() -> None:
    assert reported(TcpParameters(dsack=False), (0, 500), (0, 500)) == []


@pytest.mark.parametrize(
    ("blocks", "is_heard"),
    [
        (((-2, -1),), True),
        (((1, 2), (1, 4)), True),
        (((1, 2), (4, 5)), False),
        (((1, 2),), False),
        (((8, 9), (7, 10)), False),
        (((-100, -99),), False),
    ],
)
def test_heard__below_the_ack_or_inside_the_second_block(
    blocks: tuple[tuple[int, int], ...], is_heard: bool
) -> None:
    tcb = in_flight(8)
    assert (dsack.reported_block(tcb, report(tcb, 0, *blocks)) is not None) is is_heard
