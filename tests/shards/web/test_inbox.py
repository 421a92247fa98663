"""The inbox: how long a peer may take."""

from typing import Any

import pytest
from msgspec.structs import replace

from gossamer.core.clock import SECOND_US, VirtualClock
from gossamer.core.http.reader import RequestReader
from gossamer.core.http.request import Refusal, Request, parse_request
from gossamer.shards.web.inbox import TOO_SLOW, Inbox, PeerLeftError
from gossamer.shards.web.options import WebOptions

OPTIONS = WebOptions(head_timeout_us=10 * SECOND_US, body_timeout_us=5 * SECOND_US, body_rate_min_bytes=100)


def inbox(stream: Any, options: WebOptions = OPTIONS) -> Inbox:
    return Inbox(stream, RequestReader(parse_request), options, stream.clock)


def test_next_request__then_idle__then_none(drive: Any, scripted: Any, build: Any, silence: object) -> None:
    box = inbox(scripted(build("/a") + build("/b"), silence))
    for target in ("/a", "/b"):
        request = drive(box.next_request())
        assert isinstance(request, Request)
        assert request.target == target
    assert drive(box.next_request()) is None


def test_next_request__head_timeout_counts_from_its_first_byte(drive: Any, scripted: Any, build: Any) -> None:
    stream = scripted()
    clock: VirtualClock = stream.clock
    stream.script.extend(
        [
            lambda: clock.advance(60 * SECOND_US),
            build("/a")[:5],
            lambda: clock.advance(9 * SECOND_US),
            build("/a")[5:],
            build("/b")[:5],
            lambda: clock.advance(11 * SECOND_US),
            build("/b")[5:6],
        ]
    )
    box = inbox(stream)
    assert isinstance(drive(box.next_request()), Request)
    assert drive(box.next_request()) is TOO_SLOW


def test_next_request__peer_closes_in_the_middle(drive: Any, scripted: Any) -> None:
    with pytest.raises(PeerLeftError):
        drive(inbox(scripted(b"GET")).next_request())
    assert drive(inbox(scripted()).next_request()) is None


@pytest.mark.parametrize(
    ("taken_bytes", "elapsed_s", "left_s"),
    [(0, 0, 5), (100, 0, 5), (100, 3, 3), (1000, 3, 5), (0, 5, 0)],
)
def test_body_deadline__silence_and_rate(
    scripted: Any, taken_bytes: int, elapsed_s: int, left_s: int
) -> None:
    stream = scripted()
    box = inbox(stream)
    box.await_body()
    box.body_bytes_total = taken_bytes
    stream.clock.advance(elapsed_s * SECOND_US)
    assert box.body_deadline_us() - stream.clock() == left_s * SECOND_US


def test_body_deadline__no_rate__silence_alone(scripted: Any) -> None:
    stream = scripted()
    box = inbox(stream, WebOptions(body_timeout_us=5 * SECOND_US, body_rate_min_bytes=0))
    stream.clock.advance(1000 * SECOND_US)
    assert box.body_deadline_us() - stream.clock() == 5 * SECOND_US


def test_next_body__in_pieces_to_its_end(drive: Any, scripted: Any, build: Any) -> None:
    head = build("/", "Content-Length: 6", method="PUT")
    box = inbox(scripted(head + b"ab", b"cd", b"efGET"))
    drive(box.next_request())
    pieces = [drive(box.next_body()) for _ in range(5)]
    assert pieces == [b"ab", b"cd", b"ef", b"", b""]
    assert box.body_bytes_total == 6
    assert box.reader.has_input


def test_next_body__too_slow(drive: Any, scripted: Any, build: Any, silence: object) -> None:
    box = inbox(scripted(build("/", "Content-Length: 6", method="PUT"), silence))
    drive(box.next_request())
    assert isinstance(drive(box.next_body()), Refusal)


@pytest.mark.parametrize(
    ("bytes_max", "sent_bytes", "is_found"), [(10, 10, True), (9, 10, False), (10, 3, False), (10, 0, False)]
)
def test_drop_body__to_its_end__or_so_many_octets(
    drive: Any,
    scripted: Any,
    silence: object,
    bytes_max: int,
    sent_bytes: int,
    is_found: bool,
) -> None:
    head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n"
    box = inbox(
        scripted(head + bytes(sent_bytes), silence), replace(OPTIONS, body_discard_bytes_max=bytes_max)
    )
    request = drive(box.next_request())
    assert isinstance(request, Request)
    assert box.reader.expect_body(request) is None
    assert drive(box.drop_body()) is is_found
