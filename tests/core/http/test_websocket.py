"""A WebSocket connection without I/O: messages both ways, and what each breach of the protocol ends with."""

import zlib
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side, State

from gossamer.core.errors import MisuseError
from gossamer.core.http.websocket import (
    DEFAULT_WEBSOCKET_LIMITS,
    BinaryMessage,
    Disconnected,
    PingReceived,
    PongReceived,
    TextMessage,
    WebSocketConnection,
    WebSocketEvent,
    WebSocketLimits,
)

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
MASK = b"\x12\x34\x56\x78"

FLUSHED = b"\x00\x00\xff\xff"
"""What RFC 7692 7.2.1 takes off the end of a message, and of no other fragment."""

SMALL = WebSocketLimits(message_bytes_max=1000, fragments_max=4)
WINDOW = 12


def masked(data: bytes) -> bytes:
    return bytes(octet ^ MASK[at % 4] for at, octet in enumerate(data))


def frame(first: int, data: bytes = b"", *, is_masked: bool = True) -> bytes:
    """A frame as a client sends it; `first` is FIN, reserved bits and opcode."""
    bit = 0x80 if is_masked else 0
    length = len(data)
    if length < 126:
        head = bytes([first, bit | length])
    elif length < 1 << 16:
        head = bytes([first, bit | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + length.to_bytes(8, "big")
    return head + (MASK + masked(data) if is_masked else data)


def text(words: str) -> bytes:
    return frame(FIN | TEXT, words.encode())


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(FIN | CLOSE, code.to_bytes(2, "big") + reason)


def deflated(data: bytes) -> bytes:
    """RFC 7692 7.2.1."""
    coder = zlib.compressobj(wbits=-WINDOW)
    return (coder.compress(data) + coder.flush(zlib.Z_SYNC_FLUSH))[:-4]


def connection(*, deflate: bool = False, limits: WebSocketLimits = SMALL) -> WebSocketConnection:
    return WebSocketConnection(limits, PerMessageDeflate(False, False, WINDOW, WINDOW) if deflate else None)


def sent(data: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of each frame of a server's."""
    client = Protocol(Side.CLIENT)
    client.receive_data(data)
    frames = [each for each in client.events_received() if isinstance(each, Frame)]
    return [(int(each.opcode), bytes(each.data)) for each in frames]


# What comes.

HELLO = "Hällo, wörld \U0001f30d"


@pytest.mark.parametrize(
    ("frames", "events"),
    [
        ([text(HELLO)], [TextMessage(HELLO)]),
        ([text("")], [TextMessage("")]),
        ([frame(FIN | BINARY, b"\xff\x00")], [BinaryMessage(b"\xff\x00")]),
        (
            [text("a"), frame(FIN | BINARY, b"b"), text("c")],
            [TextMessage("a"), BinaryMessage(b"b"), TextMessage("c")],
        ),
        (
            # 5.6: a fragment may end within a character; 5.4: control frames may stand between fragments.
            [frame(TEXT, "ä".encode()[:1]), frame(FIN | PING, b"?"), frame(FIN | CONT, "ä".encode()[1:])],
            [PingReceived(b"?"), TextMessage("ä")],
        ),
        ([frame(BINARY, b"a"), frame(CONT), frame(FIN | CONT, b"b")], [BinaryMessage(b"ab")]),
        ([frame(TEXT), frame(FIN | CONT)], [TextMessage("")]),
        ([frame(FIN | PONG, b"unasked")], [PongReceived(b"unasked")]),
        ([closing(1001, b"bye")], [Disconnected(1001, "bye")]),
        ([frame(FIN | CLOSE)], [Disconnected(1005, "")]),
        ([text("a"), closing(4000), text("b")], [TextMessage("a"), Disconnected(4000, "")]),
    ],
)
def test_frames__whole_and_octet_by_octet__are_the_same_events(
    frames: Sequence[bytes], events: Sequence[WebSocketEvent]
) -> None:
    data = b"".join(frames)
    assert connection().receive(data) == events
    by_octet = connection()
    assert [event for octet in data for event in by_octet.receive(bytes([octet]))] == events


def test_ping__is_answered_by_a_pong_that_says_the_same() -> None:
    server = connection()
    server.receive(frame(FIN | PING, b"there?") + frame(FIN | PING))
    assert sent(server.unsent()) == [(PONG, b"there?"), (PONG, b"")]
    assert server.unsent() == b""


def test_compressed__message_in_fragments_is_decompressed() -> None:
    server = connection(deflate=True)
    data = deflated(HELLO.encode() * 20)
    half = len(data) // 2
    events = server.receive(frame(RSV1 | TEXT, data[:half]) + frame(FIN | CONT, data[half:]) + text("plain"))
    assert events == [TextMessage(HELLO * 20), TextMessage("plain")]


# What goes.


def test_messages__are_frames_without_a_mask() -> None:
    server = connection()
    data = server.send_text(HELLO) + server.send_binary(b"\xff") + server.ping(b"?")
    assert sent(data) == [(TEXT, HELLO.encode()), (BINARY, b"\xff"), (PING, b"?")]


def test_compressed__both_ways_a_client_of_another_make_understands() -> None:
    server = connection(deflate=True)
    client = Protocol(Side.CLIENT)
    client.extensions = [PerMessageDeflate(False, False, WINDOW, WINDOW)]
    for number in range(3):
        words = f"the same words, number {number}, the same words"
        client.send_text(words.encode())
        assert server.receive(b"".join(client.data_to_send())) == [TextMessage(words)]
        client.receive_data(server.send_text(words))
        (heard,) = client.events_received()
        assert isinstance(heard, Frame)
        assert bytes(heard.data).decode() == words


# The end.


def test_close_of_the_peer__is_echoed_and_the_server_closes_first() -> None:
    server = connection()
    assert server.receive(closing(1000, b"bye")) == [Disconnected(1000, "bye")]
    assert sent(server.unsent()) == [(CLOSE, b"\x03\xe8bye")]
    assert server.is_finished
    assert (server.is_open, server.is_disconnected) == (False, True)
    assert server.receive(text("late")) == []
    assert server.receive(b"") == []


@pytest.mark.parametrize("deflate", [False, True])
def test_close_of_the_peer__within_a_message__is_echoed_and_the_message_never_comes(deflate: bool) -> None:
    server = connection(deflate=deflate)
    began = frame(TEXT, b"\xe4")
    assert server.receive(began + closing(1000, b"bye") + frame(FIN | CONT, b"a")) == [
        Disconnected(1000, "bye")
    ]
    assert sent(server.unsent()) == [(CLOSE, b"\x03\xe8bye")]
    assert (server.is_finished, server.is_failed) == (True, False)


def test_close_of_ours__waits_for_the_peers_and_messages_still_come() -> None:
    server = connection()
    assert sent(server.close(1012, "again")) == [(CLOSE, b"\x03\xf4again")]
    assert (server.is_open, server.is_finished) == (False, False)
    assert server.receive(text("under way")) == [TextMessage("under way")]
    assert server.receive(closing(1012)) == [Disconnected(1012, "")]
    assert server.unsent() == b""
    assert server.is_finished


def test_closed__nothing_can_be_sent_and_closing_again_is_harmless() -> None:
    server = connection()
    server.close()
    for send in (lambda: server.send_text("a"), lambda: server.send_binary(b"a"), server.ping):
        with pytest.raises(BrokenPipeError):
            send()
    assert server.close(1001) == b""


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (1005, "", "code: found 1005"),
        (999, "", "code: found 999"),
        (5000, "", "code: "),
        (1000, "x" * 124, "reason: "),
    ],
)
def test_close__with_what_no_frame_may_say__is_the_callers_mistake(code: int, reason: str, said: str) -> None:
    server = connection()
    with pytest.raises(MisuseError, match=said):
        server.close(code, reason)
    assert server.is_open


def test_ping__of_more_than_a_control_frame_holds__is_the_callers_mistake() -> None:
    with pytest.raises(MisuseError, match="at most 125 bytes"):
        connection().ping(b"x" * 126)


# Hostile frames: what was sent, with which limits, and what it ends with.

HOSTILE: dict[str, tuple[bytes, int]] = {
    "5.1: not masked": (frame(FIN | TEXT, b"a", is_masked=False), 1002),
    "5.2: RSV1 without an extension": (frame(FIN | RSV1 | TEXT, b"a"), 1002),
    "5.2: RSV2": (frame(FIN | RSV2 | TEXT, b"a"), 1002),
    "5.2: RSV3 of a control frame": (frame(FIN | RSV3 | PING), 1002),
    "5.2: a reserved opcode": (frame(FIN | 3, b"a"), 1002),
    "5.2: a reserved control opcode": (frame(FIN | 11), 1002),
    "5.4: a continuation of nothing": (frame(FIN | CONT, b"a"), 1002),
    "5.4: a continuation behind a whole message": (text("a") + frame(FIN | CONT, b"a"), 1002),
    "5.4: a message within another": (frame(TEXT, b"a") + text("b"), 1002),
    "5.5: a fragment of a ping": (frame(PING, b"a"), 1002),
    "5.5: a ping of 126 bytes": (frame(FIN | PING, b"a" * 126), 1002),
    "5.5.1: a close of one byte": (frame(FIN | CLOSE, b"\x03"), 1002),
    "5.5.1: a reason that is not UTF-8": (closing(1000, b"\xff"), 1007),
    "7.4.1: 1004": (closing(1004), 1002),
    "7.4.1: 1005": (closing(1005), 1002),
    "7.4.1: 1006": (closing(1006), 1002),
    "7.4.1: 1015": (closing(1015), 1002),
    "7.4.2: 0": (closing(0), 1002),
    "7.4.2: 999": (closing(999), 1002),
    "7.4.2: 2000": (closing(2000), 1002),
    "7.4.2: 5000": (closing(5000), 1002),
    "8.1: not UTF-8": (frame(FIN | TEXT, b"a\xffb"), 1007),
    "8.1: an overlong form": (frame(FIN | TEXT, b"\xc0\xaf"), 1007),
    "8.1: a surrogate": (frame(FIN | TEXT, b"\xed\xa0\x80"), 1007),
    "8.1: beyond Unicode": (frame(FIN | TEXT, b"\xf4\x90\x80\x80"), 1007),
    "8.1: half a character at the end": (frame(FIN | TEXT, b"\xe4"), 1007),
    "8.1: half a character at the end of fragments": (frame(TEXT, b"\xe4") + frame(FIN | CONT), 1007),
    "8.1: in a fragment, before there is a last one": (frame(TEXT, b"a") + frame(CONT, b"\xff"), 1007),
    "8.1: before a close that would hide it": (frame(FIN | TEXT, b"\xff") + closing(1000), 1007),
    "10.4: a message too big": (frame(FIN | BINARY, b"a" * 1001), 1009),
    "10.4: a length of 2^63 - 1, nothing behind it": (b"\x82\xff\x7f" + b"\xff" * 7, 1009),
    "10.4: a length with its highest bit set": (b"\x82\xff" + b"\xff" * 8, 1009),
    "10.4: fragments too big together": (frame(BINARY, b"a" * 600) + frame(CONT, b"a" * 401), 1009),
    "10.4: fragments without end": (frame(BINARY) + frame(CONT) * 4, 1009),
    "the stream ends": (b"", 1006),
    "the stream ends within a head": (b"\x82", 1006),
    "the stream ends within a frame": (text("abc")[:-1], 1006),
}

HOSTILE_DEFLATE: dict[str, tuple[bytes, int]] = {
    "RFC 7692 6: RSV1 of a control frame": (frame(FIN | RSV1 | PING), 1002),
    "RFC 7692 6.1: RSV1 of a continuation": (
        frame(RSV1 | TEXT, deflated(b"a")) + frame(FIN | RSV1 | CONT),
        1002,
    ),
    "RFC 7692 7.2.2: not deflate": (frame(FIN | RSV1 | BINARY, b"\xff\xff\xff"), 1002),
    "10.4: little that becomes too much": (frame(FIN | RSV1 | BINARY, deflated(bytes(100_000))), 1009),
    "10.4: little that becomes too much, in fragments": (
        frame(RSV1 | BINARY, deflated(bytes(900)) + FLUSHED) + frame(FIN | CONT, deflated(bytes(900))),
        1009,
    ),
    "8.1: not UTF-8, compressed": (frame(FIN | RSV1 | TEXT, deflated(b"\xff")), 1007),
}


@pytest.mark.parametrize(
    ("data", "code", "deflate"),
    [(*case, False) for case in HOSTILE.values()] + [(*case, True) for case in HOSTILE_DEFLATE.values()],
    ids=[*HOSTILE, *HOSTILE_DEFLATE],
)
def test_hostile__frames_end_the_connection_with_a_code_and_no_more_is_read(
    data: bytes, code: int, deflate: bool
) -> None:
    server = connection(deflate=deflate)
    *before, end = (
        server.receive(data + text("what follows"))
        if code != 1006
        else [*server.receive(data), *server.receive(b"")]
    )
    assert isinstance(end, Disconnected)
    assert (end.code, end.is_breach) == (code, True)
    assert end.reason
    assert TextMessage("what follows") not in before
    closes = [Close.parse(payload).code for opcode, payload in sent(server.unsent()) if opcode == CLOSE]
    # 7.1.5: 1006 stands in no frame.
    assert closes == ([] if code == 1006 else [code])
    assert (server.is_open, server.is_disconnected, server.is_finished) == (False, True, True)
    assert server.receive(text("late")) == []


def test_hostile__pings_by_the_thousand__are_answered_with_less_than_they_were() -> None:
    server = connection()
    flood = frame(FIN | PING) * 10_000
    assert len(server.receive(flood)) == 10_000
    assert len(server.unsent()) < len(flood)


def test_hostile__after_our_close__ends_it_without_another_close() -> None:
    server = connection()
    server.close(1000)
    (end,) = server.receive(frame(FIN | 3))
    assert isinstance(end, Disconnected)
    assert (end.code, end.is_breach) == (1002, True)
    assert server.unsent() == b""
    assert server.is_finished


def test_limits__a_message_as_big_as_it_may_be__comes() -> None:
    assert connection().receive(frame(FIN | BINARY, b"a" * 1000)) == [BinaryMessage(b"a" * 1000)]
    parts = frame(BINARY, b"a") + frame(CONT) * 2 + frame(FIN | CONT)
    assert connection().receive(parts * 2) == [BinaryMessage(b"a")] * 2
    assert DEFAULT_WEBSOCKET_LIMITS.message_bytes_max == 1 << 20


@given(st.lists(st.text() | st.binary(), max_size=5), st.data())
def test_any_messages__in_any_pieces__come_as_they_were_sent(
    messages: list[str | bytes], data: st.DataObject
) -> None:
    client, server = Protocol(Side.CLIENT), connection(limits=DEFAULT_WEBSOCKET_LIMITS)
    for message in messages:
        client.send_text(message.encode()) if isinstance(message, str) else client.send_binary(message)
    stream = b"".join(client.data_to_send())
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=5)) | {0, len(stream)})
    events = [event for left, right in pairwise(cuts) for event in server.receive(stream[left:right])]
    wanted = [TextMessage(each) if isinstance(each, str) else BinaryMessage(each) for each in messages]
    assert events == wanted


@pytest.mark.parametrize("length", [3, 126, 0x10000])
@pytest.mark.parametrize("inside", [FIN | TEXT, FIN | BINARY])
def test_a_frame_in_pieces__its_mask_and_payload_look_like_a_frame__are_none(
    length: int, inside: int
) -> None:
    looks_whole = bytes([inside, 0x80]) + bytes(4)
    data = (looks_whole * (length // 6 + 1))[:length]
    head = frame(FIN | BINARY, bytes(length))[: -length - 4]
    key = looks_whole[:4]
    stream = (
        head + key + bytes(octet ^ key[at % 4] for at, octet in enumerate(data)) + frame(FIN | TEXT, b"x")
    )
    for cut in [*range(1, 16), len(stream) - 7, len(stream) - 1]:
        server = connection(limits=DEFAULT_WEBSOCKET_LIMITS)
        events = [*server.receive(stream[:cut]), *server.receive(stream[cut:])]
        assert events == [BinaryMessage(data), TextMessage("x")], cut


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("length", [0, 125, 126])
def test_bytes_like__both_ways__as_bytes(kind: type, length: int) -> None:
    server = connection()
    payload = bytes(range(length))
    assert server.send_binary(kind(payload)) == frame(FIN | BINARY, payload, is_masked=False)
    (event,) = server.receive(kind(frame(FIN | BINARY, payload)))
    assert isinstance(event, BinaryMessage)
    assert (event.data, type(event.data)) == (payload, bytes)
    with pytest.raises(TypeError):
        server.send_binary(3)  # type: ignore[arg-type]  # what a wrong caller gives


@pytest.mark.parametrize("payload", [b"", b"a", b"\xc3"])
def test_fragment_of_no_message__behind_one_of_text__1002_whatever_stands_in_it(payload: bytes) -> None:
    for is_whole in (True, False):
        server = connection()
        data = frame(FIN | TEXT, b"ab") + frame(FIN | CONT, payload)
        events = server.receive(data) if is_whole else [e for b in data for e in server.receive(bytes([b]))]
        assert isinstance(events[0], TextMessage)
        assert isinstance(events[1], Disconnected)
        assert events[1].code == 1002


FIRST_OCTETS = [*(FIN | kind for kind in (CONT, TEXT, BINARY, CLOSE, PING, PONG)), CONT, TEXT, BINARY]
PAYLOADS = [
    b"",
    b"a",
    b"\xc3",
    "ä".encode(),
    b"\xff",
    b"\x03\xe8",
    *(bytes(n) for n in (125, 126, 999, 1001)),
]
frames_of_any_kind = st.builds(
    frame, st.sampled_from([*FIRST_OCTETS, RSV1 | FIN | TEXT, FIN | 3]), st.sampled_from(PAYLOADS)
) | st.sampled_from([b"\x81\x01a", b"\x81", b"\x82\xff" + bytes(12), b"\x82\xfe\x00\x01" + MASK + b"x"])


@given(st.lists(frames_of_any_kind, min_size=1, max_size=6))
def test_any_frames__at_one_look_and_octet_by_octet__the_same_is_heard_and_said(frames: list[bytes]) -> None:
    data = b"".join(frames)
    whole, by_octet = connection(), connection()
    events = whole.receive(data)
    assert [event for octet in data for event in by_octet.receive(bytes([octet]))] == events
    assert (whole.has_unsent, whole.is_open) == (by_octet.has_unsent, by_octet.is_open)
    assert whole.unsent() == by_octet.unsent()
    assert (whole.is_failed, whole.is_finished) == (by_octet.is_failed, by_octet.is_finished)
    assert not whole.has_unsent


@pytest.mark.parametrize("length", [0, 1, 125, 126, 0xFFFF, 0x10000])
def test_messages__of_any_length__are_framed_as_the_package_does(length: int) -> None:
    package = Protocol(Side.SERVER, state=State.OPEN)
    package.send_text(b"g" * length)
    package.send_binary(bytes(length))
    server = connection()
    assert [server.send_text("g" * length), server.send_binary(bytes(length))] == package.data_to_send()


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes__never_raise(data: bytes, deflate: bool) -> None:
    server = connection(deflate=deflate)
    server.receive(data) if data else None
    server.receive(b"")
    server.unsent()
    assert server.is_disconnected


def test_opcodes__are_those_of_the_package() -> None:
    assert (
        *(Opcode.TEXT, Opcode.BINARY, Opcode.CONT),
        *(Opcode.CLOSE, Opcode.PING, Opcode.PONG),
    ) == (TEXT, BINARY, CONT, CLOSE, PING, PONG)
