"""Cutting a super-segment into what leaves."""

from gossamer.core.seq import MASK
from gossamer.core.wire.cutting import cut
from gossamer.core.wire.segment import ACK, CWR, ECT_0, FIN, PSH, Segment

TEXT = bytes(range(250))


def test_one_packet__is_itself() -> None:
    segment = Segment(1, 2, ACK | PSH, 3, payload=TEXT)
    assert cut(segment) == (segment,)


def test_pieces__have_their_place_and_their_flags() -> None:
    whole = Segment(MASK - 99, 7, ACK | PSH | FIN | CWR, 5, 8, 9, TEXT, ecn=ECT_0, cut_bytes=100)
    assert cut(whole) == (
        Segment(MASK - 99, 7, ACK | CWR, 5, 8, 9, TEXT[:100], ecn=ECT_0),
        Segment(0, 7, ACK, 5, 8, 9, TEXT[100:200], ecn=ECT_0),
        Segment(100, 7, ACK | PSH | FIN, 5, 8, 9, TEXT[200:], ecn=ECT_0),
    )


def test_even_pieces__the_last_is_full() -> None:
    whole = Segment(0, 0, ACK | PSH, 0, payload=TEXT[:200], cut_bytes=100)
    assert [(len(each.payload), each.flags) for each in cut(whole)] == [(100, ACK), (100, ACK | PSH)]
