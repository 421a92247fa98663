"""Clients that remember nothing: what they say follows from what they hear."""

import pytest

from gossamer.core.sim.crowd import PORTS, answer, flow_of, number_of, opening, turned
from gossamer.core.wire.flow import local_address, remote_address
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, Segment

SERVER = ("10.0.0.2", 80)


@pytest.mark.parametrize("number", [0, 1, PORTS - 1, PORTS, 17 * PORTS - 1])
def test_flow__of_a_number__and_back(number: int) -> None:
    flow = flow_of(number, *SERVER)
    assert local_address(flow) == remote_address(turned(flow)) == SERVER
    assert number_of(flow) == number
    assert turned(turned(flow)) == flow


def test_opening__numbers_differ() -> None:
    assert opening(1, 5).seq != opening(2, 5).seq
    assert opening(1, 5).flags == SYN


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (Segment(7, 9, SYN | ACK, 5, 3), Segment(9, 8, ACK | PSH, 500, 4, 3, b"ask")),
        (Segment(8, 12, ACK | PSH, 5, 3, payload=b"hello"), Segment(12, 13, ACK, 500, 4, 3)),
        (Segment(13, 12, ACK | FIN, 5, 3), Segment(12, 14, ACK | FIN, 500, 4, 3)),
        (Segment(13, 12, ACK, 5, 3), None),
        (Segment(13, 0, RST, 0), None),
    ],
)
def test_answer__to_what_the_server_sends(heard: Segment, said: Segment | None) -> None:
    assert answer(heard, b"ask", 4) == said
