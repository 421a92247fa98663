"""CLOSED: the RST that answers what belongs to no connection."""

import pytest

from gossamer.core.tcp.closed import reset_reply
from gossamer.core.wire.segment import ACK, FIN, RST, SYN, Segment


@pytest.mark.parametrize(
    ("segment", "reply"),
    [
        (Segment(5, 9, ACK, 1), Segment(9, 0, RST, 0)),
        (Segment(5, 9, SYN | ACK, 1), Segment(9, 0, RST, 0)),
        (Segment(5, 0, SYN, 1), Segment(0, 6, RST | ACK, 0)),
        (Segment(0xFFFFFFFF, 0, SYN | FIN, 1, payload=b"abc"), Segment(0, 4, RST | ACK, 0)),
        (Segment(5, 9, RST, 1), None),
        (Segment(5, 9, RST | ACK | SYN, 1), None),
    ],
)
def test_closed__any_segment__reset_unless_it_is_one(segment: Segment, reply: Segment | None) -> None:
    """RFC 9293 3.10.7.1 and 3.5.2."""
    assert reset_reply(segment) == reply
