"""HTTP/2 without I/O: requests and responses both ways, windows, and each attack with what it is answered by.

The peer is the client half of the package `h2`, or frames made by hand.
"""

from collections.abc import Callable

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from gossamer.core.clock import SECOND_US
from gossamer.core.http.h2conversation import (
    PREFACE,
    H2Body,
    H2Conversation,
    H2Ended,
    H2Event,
    H2Limits,
    H2Request,
    H2Reset,
)
from gossamer.core.http.request import CHUNKED, Refusal, Request, parse_request

GET = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x?y")]
ENHANCE_YOUR_CALM = 11


def conversation(**limits: int) -> H2Conversation:
    return H2Conversation(H2Limits(**limits))


class Peer:
    """A client, and its server."""

    def __init__(self, **limits: int) -> None:
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.client.initiate_connection()
        self.server = conversation(**limits)
        self.events: list[H2Event] = []
        self.came: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.heads: dict[int, dict[str, str]] = {}
        self.others: list[object] = []

    def ask(self, fields: list[tuple[str, str]], body: bytes = b"", *, ends: bool = True) -> int:
        number = self.client.get_next_available_stream_id()
        self.client.send_headers(number, fields, end_stream=ends and not body)
        if body:
            self.client.send_data(number, body, end_stream=ends)
        return number

    def exchange(self) -> list[H2Event]:
        """Both say what they have to say, until neither has; what the server met."""
        met: list[H2Event] = []
        while True:
            data = self.client.data_to_send()
            if data:
                met += self.server.receive(data, 0)
            answer = self.server.unsent()
            if not data and not answer:
                return met
            if answer:
                self.hear(answer)

    def hear(self, answer: bytes) -> None:
        for event in self.client.receive_data(answer):
            if isinstance(event, ResponseReceived):
                self.heads[event.stream_id or 0] = dict(event.headers or ())  # type: ignore[arg-type]  # of text
            elif isinstance(event, DataReceived):
                number = event.stream_id or 0
                self.came[number] = self.came.get(number, b"") + (event.data or b"")
                self.client.acknowledge_received_data(event.flow_controlled_length or 0, number)
            elif isinstance(event, StreamEnded):
                self.ended.add(event.stream_id or 0)
            else:
                self.others.append(event)


def test_request__is_that_of_http_1() -> None:
    peer = Peer()
    number = peer.ask(
        [*GET, ("user-agent", "c"), ("cookie", "a=b"), ("cookie", "c=d"), ("expect", "100-continue")]
    )
    (event,) = peer.exchange()
    assert isinstance(event, H2Request)
    assert (event.stream_id, event.has_ended) == (number, True)
    request = parse_request(event.head)
    assert isinstance(request, Request)
    assert (request.method, request.target, request.host, request.minor) == ("GET", "/x?y", "a.example", 1)
    assert request.fields == (("host", "a.example"), ("user-agent", "c"), ("cookie", "a=b; c=d"))
    assert (request.has_body, request.expects_continue, request.keep_alive) == (False, False, True)


def test_body__comes_in_pieces_and_its_room_is_given_back() -> None:
    peer = Peer()
    number = peer.ask([*GET[1:], (":method", "PUT")][::-1], b"hello", ends=False)
    begun, body = peer.exchange()
    assert isinstance(begun, H2Request)
    request = parse_request(begun.head)
    assert isinstance(request, Request)
    assert (request.body_bytes, begun.has_ended) == (CHUNKED, False)
    assert body == H2Body(number, b"hello", 5)
    peer.server.taken(number, 5)
    for _ in range(8):  # more than a window
        peer.client.send_data(number, b"x" * 16_000)
        for event in peer.exchange():
            assert isinstance(event, H2Body)
            peer.server.taken(number, event.window_bytes)
        peer.exchange()
    peer.client.send_data(number, b"!", end_stream=True)
    assert peer.exchange() == [H2Body(number, b"!", 1, has_ended=True)]


def test_response__goes_as_the_windows_let_it_and_others_beside_it() -> None:
    peer = Peer()
    large, small = peer.ask(GET), peer.ask(GET)
    peer.exchange()
    for number, body in ((large, b"x" * 200_000), (small, b"hello")):
        peer.server.respond(number, 200, [("Content-Length", str(len(body))), ("X-A", "b")])
        peer.server.send(number, body, is_last=True)
    first = peer.server.unsent()
    assert peer.server.is_held(large)
    assert 65_535 <= len(first) < 66_500, "the window of the connection, and heads"
    peer.hear(first)
    assert peer.came.get(small) is None, "the window of the connection is used up"
    peer.exchange()
    assert (peer.came[large], peer.came[small]) == (b"x" * 200_000, b"hello")
    assert peer.heads[large] == {":status": "200", "content-length": "200000", "x-a": "b"}
    assert peer.ended == {large, small}
    assert not peer.server.has_streams


def test_response__before_the_body_has_come__little_more_is_dropped_and_then_stopped_without_an_error() -> (
    None
):
    peer = Peer()
    number = peer.ask([(":method", "PUT"), *GET[1:]], b"part", ends=False)
    for event in peer.exchange():
        if isinstance(event, H2Body):
            peer.server.taken(number, event.window_bytes)
    peer.server.respond(number, 413, [], is_last=True)
    peer.exchange()
    assert number in peer.ended
    for _ in range(5):
        peer.client.send_data(number, b"x" * 16_000)
        assert peer.exchange() == []
    (reset,) = [event for event in peer.others if isinstance(event, StreamReset)]
    assert reset.error_code == 0


def test_reset__of_a_response__is_told_and_nothing_more_goes() -> None:
    peer = Peer()
    number = peer.ask(GET)
    peer.exchange()
    peer.server.respond(number, 200, [])
    peer.server.send(number, b"x" * 100_000, is_last=True)
    peer.client.reset_stream(number)
    assert peer.server.receive(peer.client.data_to_send(), 0)[-1] == H2Reset(number)
    assert not peer.server.is_open(number)
    peer.server.send(number, b"more", is_last=True)
    peer.server.respond(number, 200, [])
    peer.server.reset(number)


def test_end__what_has_begun_is_answered_and_what_is_new_is_refused() -> None:
    peer = Peer()
    begun = peer.ask(GET)
    peer.exchange()
    peer.server.end()
    late = peer.ask(GET)
    assert peer.exchange() == []
    (refused,) = [event for event in peer.others if isinstance(event, StreamReset)]
    assert (refused.stream_id, refused.error_code) == (late, 7)
    assert not peer.server.is_over
    peer.server.respond(begun, 204, [], is_last=True)
    assert peer.server.is_over
    peer.hear(peer.server.unsent())
    (goodbye,) = [event for event in peer.others if isinstance(event, ConnectionTerminated)]
    assert goodbye.error_code == 0
    assert begun in peer.ended


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([*GET, ("host", "other")], 400),
        ([*GET, ("x-a", "b\r\nx-c: d")], 400),
        ([*GET, ("x-a", "b\0")], 400),
        ([(":method", "BREW"), *GET[1:]], 501),
        ([*GET[:3], (":path", "/x y")], 400),
        ([*GET[:3], (":path", "/" + "x" * 9000)], 414),
        ([*GET, *[(f"x-{number}", "y") for number in range(101)]], 431),
        ([*GET[:2], (":authority", "a b"), GET[3]], 400),
    ],
)
def test_request__that_http_1_refuses__is_refused(fields: list[tuple[str, str]], status: int) -> None:
    config = H2Configuration(
        client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
    )
    peer = Peer()
    peer.client.config = config
    peer.ask(fields)
    found = peer.exchange()
    if isinstance(found[0], H2Ended):
        assert status == 400, "the package has refused what no field may be"
        return
    (event,) = found
    assert isinstance(event, H2Request)
    refusal = parse_request(event.head)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status


# Attacks: what is sent, and the code of the GOAWAY that ends it.

HPACK = Encoder().encode(GET)
BEGIN = PREFACE + SettingsFrame(0).serialize()


def headers(number: int, block: bytes = HPACK, *flags: str) -> bytes:
    frame = HeadersFrame(number, block)
    for flag in flags or ("END_HEADERS", "END_STREAM"):
        frame.flags.add(flag)
    return bytes(frame.serialize())


def many(count: int, make: Callable[[int], Frame]) -> bytes:
    return b"".join(make(number).serialize() for number in range(count))


def rapid_reset() -> bytes:
    pairs = (
        (headers(number), RstStreamFrame(number, error_code=8).serialize()) for number in range(1, 2001, 2)
    )
    return b"".join(part for pair in pairs for part in pair)


def continuation_flood() -> bytes:
    return headers(1, HPACK, "END_STREAM") + many(1000, lambda _number: ContinuationFrame(1, b""))


def hpack_bomb() -> bytes:
    # One field of 4,000 bytes, entered into the table, then named 4,000 times by an octet each.
    encoder = Encoder()
    block = encoder.encode([*GET, ("x-a", "y" * 3900)]) + b"\xbe" * 4000
    return headers(1, block)


ATTACKS: dict[str, tuple[bytes, int]] = {
    "rapid reset (CVE-2023-44487)": (rapid_reset(), ENHANCE_YOUR_CALM),
    "CONTINUATION flood (CVE-2024-27316)": (continuation_flood(), 1),
    "HPACK bomb": (hpack_bomb(), ENHANCE_YOUR_CALM),
    "ping flood (CVE-2019-9512)": (
        many(1000, lambda number: PingFrame(0, number.to_bytes(8, "big"))),
        ENHANCE_YOUR_CALM,
    ),
    "settings flood (CVE-2019-9515)": (many(1000, lambda _number: SettingsFrame(0)), ENHANCE_YOUR_CALM),
    "empty frames flood (CVE-2019-9518)": (
        headers(1, HPACK, "END_HEADERS") + many(1000, lambda _number: DataFrame(1)),
        ENHANCE_YOUR_CALM,
    ),
    "priority flood (CVE-2019-9513)": (
        many(1000, lambda number: PriorityFrame(1, depends_on=3 + 2 * (number % 2), stream_weight=5)),
        ENHANCE_YOUR_CALM,
    ),
    "unknown frames": (b"\x00\x00\x00\xfa\x00\x00\x00\x00\x00" * 1000, ENHANCE_YOUR_CALM),
    "more streams than may be": (b"".join(headers(number) for number in range(1, 211, 2)), 1),
    "a window that overflows": (many(3, lambda _number: WindowUpdateFrame(0, window_increment=2**31 - 1)), 3),
    "a frame longer than may be": (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01" + bytes(16385), 6),
    "data on no stream": (DataFrame(1, b"x").serialize(), 1),
}


@pytest.mark.parametrize(("data", "code"), ATTACKS.values(), ids=ATTACKS)
def test_attack__ends_the_connection_with_its_code_and_no_more_is_read(data: bytes, code: int) -> None:
    server = conversation()
    begun = server.unsent()
    whole = BEGIN + data
    events = [
        event for at in range(0, len(whole), 65536) for event in server.receive(whole[at : at + 65536], 0)
    ]
    assert isinstance(events[-1], H2Ended)
    assert events[-1].is_breach
    assert events[-1].reason
    assert sum(isinstance(event, H2Request) for event in events) <= 100
    answer = server.unsent()
    assert len(begun) + len(answer) <= len(whole) + 200, "less is answered than was sent"
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    goodbyes = [
        each for each in client.receive_data(begun + answer) if isinstance(each, ConnectionTerminated)
    ]
    assert [int(each.error_code or 0) for each in goodbyes] == [code]
    assert server.receive(BEGIN, 0) == []
    assert server.is_over


def test_rapid_reset__whoever_asks_and_resets_at_once_has_nothing_begun() -> None:
    server = conversation()
    events = server.receive(BEGIN + headers(1) + RstStreamFrame(1, error_code=8).serialize(), 0)
    assert events == [H2Reset(1)]


def test_resets_and_pings__as_people_have_them__are_no_attack() -> None:
    """Ten resets and ten pings each second, for a minute."""
    server = conversation()
    server.receive(BEGIN, 0)
    number = 1
    for second in range(60):
        for _ in range(10):
            data = headers(number) + PingFrame(0, bytes(8)).serialize()
            server.receive(data, second * SECOND_US)
            server.receive(RstStreamFrame(number, error_code=8).serialize(), second * SECOND_US)
            number += 2
    assert not server.is_over


def test_no_preface__is_the_end() -> None:
    (end,) = conversation().receive(b"GET / HTTP/1.1\r\n\r\n" + bytes(24), 0)
    assert isinstance(end, H2Ended)
    assert end.is_breach


def test_any_end_of_the_stream__is_the_end() -> None:
    peer = Peer()
    peer.ask(GET)
    peer.exchange()
    assert peer.server.receive(b"", 0) == [H2Ended("the peer left", is_breach=True)]
    assert peer.server.receive(b"", 0) == []
    peer = Peer()
    peer.client.close_connection()
    (end,) = peer.exchange()
    assert isinstance(end, H2Ended)
    assert not end.is_breach
