"""A WebSocket connection behind its handshake, the server's end: bytes in, messages out, and back (sans-I/O).

Owns the order of things on it: messages put together from their fragments, pings answered, the closing
handshake, and what a breach of the protocol ends with. Frames, masks and compression are coded by the package
`websockets`, which knows no I/O either; UTF-8 is judged here, fragment by fragment, as it comes. A message
that is one whole frame goes by it (`websocket_frames`), where nothing was agreed that changes frames.

It knows no socket and no clock: who waits how long for a pong or for a peer's close, its user decides.
Source: RFC 6455 5 to 8, RFC 7692.
"""

import codecs
import logging
from collections import deque
from collections.abc import Callable
from types import GeneratorType
from typing import Final

import msgspec
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions import Extension
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.streams import StreamReader
from websockets.typing import ExtensionName

from gossamer.core.errors import misuse
from gossamer.core.http.websocket_frames import BINARY, TEXT, framed, whole_frame

NORMAL_CLOSURE: Final = 1000
SERVICE_RESTART: Final = 1012
"""The server drains: come again."""
INTERNAL_ERROR: Final = 1011
ABNORMAL_CLOSURE: Final = 1006
"""RFC 6455 7.1.5: what no frame says: the stream ended without a closing handshake."""

CONTROL_BYTES_MAX: Final = 125
"""RFC 6455 5.5."""
REASON_BYTES_MAX: Final = CONTROL_BYTES_MAX - 2

SILENT: Final = logging.getLogger(f"{__name__}.frames")
SILENT.disabled = True  # The package's own lines, one a connection: what went wrong is an event here.

BREACHES: Final = (
    (ProtocolError, 1002),
    (UnicodeDecodeError, 1007),
    (PayloadTooBig, 1009),
    (EOFError, ABNORMAL_CLOSURE),
)
"""What a peer can do wrong, and the code that says so (RFC 6455 7.4.1); any other error is a bug."""

BETWEEN_FRAMES: Final = StreamReader.at_eof.__code__
"""What the package's reader waits in between two frames, and there alone."""

START_UTF8: Final = codecs.getincrementaldecoder("utf-8")


class WebSocketLimits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a peer may send."""

    message_bytes_max: int = 1 << 20
    """A message, decompressed; a longer one is 1009. At most twice as much is held of one."""
    fragments_max: int = 4096
    """Frames that one message comes in; more are 1009. They may be empty, so their length bounds nothing."""


DEFAULT_WEBSOCKET_LIMITS: Final = WebSocketLimits()


class TextMessage(msgspec.Struct, frozen=True, gc=False):
    """A whole message of text."""

    text: str


class BinaryMessage(msgspec.Struct, frozen=True, gc=False):
    """A whole message of bytes."""

    data: bytes


class PingReceived(msgspec.Struct, frozen=True, gc=False):
    """A ping, whose pong stands in what is to be sent already."""

    data: bytes


class PongReceived(msgspec.Struct, frozen=True, gc=False):
    """A pong, asked for or not."""

    data: bytes


class Disconnected(msgspec.Struct, frozen=True, gc=False):
    """The last event: nothing more will come, and nothing can be sent."""

    code: int
    """The peer's close code; 1005 where its close had none, 1006 where there was no close; or the code that a
    breach of its was answered with."""
    reason: str
    """The peer's, or what the breach was."""
    is_breach: bool = False
    """Whether the peer broke the protocol, or left without a closing handshake."""


WebSocketEvent = TextMessage | BinaryMessage | PingReceived | PongReceived | Disconnected
"""What has come."""


class TooManyFragments(PayloadTooBig):
    """A message comes in more frames than it may."""

    def __init__(self, fragments_max: int) -> None:
        super().__init__(None, fragments_max)

    def __str__(self) -> str:
        return f"message in more than {self.max_size} fragments"

    def set_current_size(self, current_size: int | None) -> None:
        """It is not about bytes."""


class MessageJudge(Extension):
    """Judges messages frame by frame, so that a breach ends the connection before what comes after it is
    read: text, which it decodes, and in how many fragments one comes.

    It stands where extensions stand, behind the decompression, and changes no frame.
    """

    name = ExtensionName("")

    def __init__(self, fragments_max: int, forget: Callable[[], None]) -> None:
        """`forget` has no message be under way any more."""
        self.fragments_max = fragments_max
        self.forget = forget
        self.fragments = 0
        self.texts: deque[str] = deque()
        """The text of each text frame that nobody has asked for."""
        self.decoder = START_UTF8()
        self.is_text = False
        """Whether the message under way is one."""

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Raises: UnicodeDecodeError; TooManyFragments."""
        del max_size
        if frame.opcode is Opcode.CONT:
            self.fragments += 1
            if self.fragments > self.fragments_max:
                raise TooManyFragments(self.fragments_max)
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self.fragments = 1
            self.is_text = frame.opcode is Opcode.TEXT
        else:
            if frame.opcode is Opcode.CLOSE:
                # RFC 6455 5.4: "Control frames (see Section 5.5) MAY be injected in the middle of a
                # fragmented message." A close is one of them, and nothing comes behind it.
                self.forget()
            return frame
        if self.is_text:
            # RFC 6455 5.6: "a particular text frame might include a partial UTF-8 sequence; however, the
            # whole message MUST contain valid UTF-8."
            self.texts.append(self.decoder.decode(frame.data, frame.fin))
        if frame.fin:
            # None is under way now: a fragment that comes next is a breach, whatever stands in it.
            self.is_text, self.fragments = False, 0
        return frame

    def encode(self, frame: Frame) -> Frame:
        """What we send is text already."""
        return frame


class WebSocketConnection:
    """The server's end of one connection.

    `receive` takes what came and gives events; every method that sends gives bytes, and what `receive` itself
    has to answer is had by `unsent`. All bytes are to be sent in the order in which they were given.

    Bounds: one message under way of message_bytes_max, in fragments_max frames; one frame that is not whole,
    of as many; events and answers no longer than what one `receive` brought.
    """

    __slots__ = (
        "_blobs",
        "_bytes_max",
        "_is_between",
        "_is_plain",
        "_is_text",
        "_judge",
        "_protocol",
        "_texts",
        "has_unsent",
        "is_disconnected",
        "is_failed",
        "is_finished",
        "is_open",
    )

    def __init__(
        self, limits: WebSocketLimits = DEFAULT_WEBSOCKET_LIMITS, deflate: Extension | None = None
    ) -> None:
        self._protocol = Protocol(
            Side.SERVER, state=State.OPEN, max_size=limits.message_bytes_max, logger=SILENT
        )
        self._bytes_max = limits.message_bytes_max
        self._is_plain = deflate is None
        """Whether a message is its frame's payload as it is."""
        self._is_between = self._is_plain
        """Whether what comes next begins a message, so that it may be taken at one look."""
        self._judge = MessageJudge(limits.fragments_max, self._forget)
        # The last is the first to decode.
        self._protocol.extensions = [self._judge, *([] if deflate is None else [deflate])]
        self._is_text = False
        """Whether the message under way is one of text; its fragments stand in one of these two."""
        self._texts: list[str] = []
        self._blobs: list[bytes] = []
        self.has_unsent: bool = False
        """Whether `unsent` would give anything."""
        self.is_open: bool = True
        """Whether messages can be sent."""
        self.is_disconnected: bool = False
        """Whether `Disconnected` was given."""
        self.is_failed: bool = False
        """Whether the peer broke the protocol, and was told so in a close that it may not have asked for: it
        may be sending still (RFC 6455 7.1.7)."""
        self.is_finished: bool = False
        """Whether the stream is to be closed once all that was given is sent: a server closes first (RFC 6455
        7.1.1)."""

    def receive(self, data: bytes) -> list[WebSocketEvent]:
        """What came; b"" is the end of the stream. Nothing is looked at behind the last event."""
        if self.is_disconnected:
            return []
        if type(data) is not bytes:
            data = octets_of(data)
        events: list[WebSocketEvent] = []
        if data:
            at = self._take_whole(data, events) if self._is_between else 0
            if at == len(data):
                return events
            self._protocol.receive_data(data[at:])
        else:
            self._protocol.receive_eof()
        self.is_open = self._protocol.state is State.OPEN
        self.has_unsent = bool(self._protocol.writes)
        for frame in self._protocol.events_received():
            event = self._take(frame)
            if event is not None:
                events.append(event)
        end = self._end()
        if end is not None:
            events.append(end)
            self.is_disconnected = True
            self.is_failed = end.is_breach and end.code != ABNORMAL_CLOSURE
        self._is_between = self._is_plain and self._is_at_a_frame() and not (self._texts or self._blobs)
        return events

    def _is_at_a_frame(self) -> bool:
        """Whether the general reader waits for the first octet of a frame: what it holds of one may be in its
        hands and no more in its buffer."""
        parser = self._protocol.parser
        assert isinstance(parser, GeneratorType)
        waits = parser.gi_yieldfrom
        return isinstance(waits, GeneratorType) and waits.gi_code is BETWEEN_FRAMES

    def _forget(self) -> None:
        """No message is under way any more, as the protocol counts it."""
        self._protocol.current_size = None

    def unsent(self) -> bytes:
        """What is to be sent and was not given yet."""
        writes = self._protocol.data_to_send()
        self.has_unsent = False
        if b"" in writes:
            self.is_finished = True
        return writes[0] if len(writes) == 1 else b"".join(writes)

    def send_text(self, text: str) -> bytes:
        """A message. Raises: BrokenPipeError when the connection is closing; UnicodeEncodeError."""
        if not self.is_open:
            raise closing()
        if self._is_plain:
            return framed(TEXT, text.encode())
        self._protocol.send_text(text.encode())
        return self.unsent()

    def send_binary(self, data: bytes) -> bytes:
        """A message. Raises: BrokenPipeError when the connection is closing."""
        if not self.is_open:
            raise closing()
        if self._is_plain:
            return framed(BINARY, data if type(data) is bytes else octets_of(data))
        self._protocol.send_binary(data)
        return self.unsent()

    def ping(self, data: bytes = b"") -> bytes:
        """Ask for a pong that says the same. Raises: BrokenPipeError; MisuseError for more than 125 bytes."""
        if not self.is_open:
            raise closing()
        if len(data) > CONTROL_BYTES_MAX:
            raise misuse("data", data, f"at most {CONTROL_BYTES_MAX} bytes")
        self._protocol.send_ping(data)
        return self.unsent()

    def close(self, code: int = NORMAL_CLOSURE, reason: str = "") -> bytes:
        """Begin the closing handshake; events come until the peer's close. Nothing where it has begun.

        Raises: MisuseError for a code that no frame may have (RFC 6455 7.4), or a reason of more than 123
        bytes.
        """
        check_close(code, reason)
        if self.is_open:
            self._protocol.send_close(code, reason)
            self.is_open = False
        return self.unsent()

    def _take_whole(self, data: bytes, events: list[WebSocketEvent]) -> int:
        """Take the messages that need no more than one look; where they end."""
        at = 0
        while at < len(data) and (found := whole_frame(data, at, self._bytes_max)) is not None:
            first, payload, end = found
            if first == TEXT:
                try:
                    events.append(TextMessage(payload.decode()))
                except UnicodeDecodeError:
                    break
            else:
                events.append(BinaryMessage(payload))
            at = end
        return at

    def _take(self, frame: object) -> WebSocketEvent | None:
        """A frame that broke no rule, in its turn; None for what is no event by itself."""
        assert isinstance(frame, Frame)
        if frame.opcode is Opcode.PING:
            return PingReceived(bytes(frame.data))
        if frame.opcode is Opcode.PONG:
            return PongReceived(bytes(frame.data))
        if frame.opcode is Opcode.CLOSE:
            return None  # With what it says everything ends: `_end` tells it, behind all the others.
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        if self._is_text:
            return self._take_text(self._judge.texts.popleft(), is_whole=frame.fin)
        return self._take_binary(bytes(frame.data), is_whole=frame.fin)

    def _take_text(self, text: str, *, is_whole: bool) -> WebSocketEvent | None:
        if is_whole and not self._texts:
            return TextMessage(text)
        self._texts.append(text)
        if not is_whole:
            return None
        whole = "".join(self._texts)
        self._texts.clear()
        return TextMessage(whole)

    def _take_binary(self, data: bytes, *, is_whole: bool) -> WebSocketEvent | None:
        if is_whole and not self._blobs:
            return BinaryMessage(data)
        self._blobs.append(data)
        if not is_whole:
            return None
        whole = b"".join(self._blobs)
        self._blobs.clear()
        return BinaryMessage(whole)

    def _end(self) -> Disconnected | None:
        """What ended the connection, None while nothing did."""
        error, close = self._protocol.parser_exc, self._protocol.close_rcvd
        if error is None:
            return None if close is None else Disconnected(int(close.code), close.reason)
        for kind, code in BREACHES:
            if isinstance(error, kind):
                return Disconnected(code, str(error), is_breach=True)
        raise error


def octets_of(data: bytes | bytearray | memoryview) -> bytes:
    """What is bytes-like, as the bytes that the native build wants. Raises: TypeError for anything else, a
    number among it."""
    return bytes(memoryview(data))


def closing() -> BrokenPipeError:
    """For a message on what is not open any more."""
    return BrokenPipeError("the WebSocket is closing: nothing more can be sent")


def check_close(code: int, reason: str) -> None:
    """Raises: MisuseError for what no close frame may say."""
    try:
        text = Close(code, reason).serialize()
    except ProtocolError as error:
        raise misuse("code", code, "1000 to 1003, 1007 to 1014, or 3000 to 4999") from error
    if len(text) > CONTROL_BYTES_MAX:
        raise misuse("reason", reason, f"at most {REASON_BYTES_MAX} bytes of UTF-8")
