"""An HTTP/2 connection as a conversation without I/O: bytes in, requests out, and responses back as bytes.

Owns what a server must know of streams: each request becomes the head of one of HTTP/1.1, to be judged by the
same rules; bodies go as the peer's windows let them, in turn; and what a peer may send that costs more
than it does is counted, until the connection ends. Frames, HPACK, the states of streams and their windows are
kept by the package `h2`, which knows no I/O either.

It knows no socket and no clock: a time comes with what came. Source: RFC 9113, RFC 7541; CVE-2023-44487,
CVE-2019-9512 to 9518, CVE-2024-27316.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    UnknownFrameReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes

from gossamer.core.clock import SECOND_US
from gossamer.core.http.h2fields import head_of, octets_of

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113 3.4: what a client begins with; no request of HTTP/1.1 does."""


class H2Limits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a peer may ask of a connection."""

    streams_max: int = 100
    """Requests that are answered at once; one more is the end."""
    head_bytes_max: int = 32768
    """A request's fields, decompressed, with 32 bytes for each (RFC 9113 6.5.2); more is the end."""
    resets_burst: int = 100
    resets_per_second: int = 20
    """Streams that the peer may reset before they are answered: each has cost us a request."""
    bodies_bytes_max: int = 262_144
    """Of all bodies together, what has come and was not taken; of each 64 KiB. So a request whose body nobody
    takes does not stop those of others."""
    discard_bytes_max: int = 65536
    """Of a body whose request is answered already: so much is dropped, then its sender is told to stop."""
    control_burst: int = 200
    control_per_second: int = 50
    """SETTINGS, PING, PRIORITY, empty DATA and unknown frames: each costs us an answer, or a look."""


DEFAULT_H2_LIMITS: Final = H2Limits()


class H2Request(msgspec.Struct, frozen=True):
    """A request has begun."""

    stream_id: int
    head: bytes
    """Of the same request by HTTP/1.1; one that no such head may have is without its Host, so it is 400. A
    body whose length nobody has said is one in chunks."""
    has_ended: bool
    """Whether it brings no body."""


class H2Body(msgspec.Struct, frozen=True, gc=False):
    """A piece of a request's body; `H2Conversation.taken` gives its room back."""

    stream_id: int
    data: bytes
    window_bytes: int
    has_ended: bool = False


class H2Reset(msgspec.Struct, frozen=True, gc=False):
    """The peer wants no answer any more."""

    stream_id: int


class H2Ended(msgspec.Struct, frozen=True, gc=False):
    """The last event: after what is unsent the connection closes."""

    reason: str
    is_breach: bool


H2Event = H2Request | H2Body | H2Reset | H2Ended
"""What has come."""


class Allowance:
    """So many at once, and so many a second."""

    __slots__ = ("burst", "left", "per_second", "until_us")

    def __init__(self, burst: int, per_second: int) -> None:
        self.burst = burst
        self.per_second = per_second
        self.left = float(burst)
        self.until_us = 0

    def take(self, now_us: int) -> bool:
        """One more; whether it was allowed."""
        passed_us, self.until_us = max(0, now_us - self.until_us), now_us
        self.left = min(self.burst, self.left + passed_us * self.per_second / SECOND_US) - 1
        return self.left >= 0


class ForgetfulConnection(H2Connection):
    """Remembers fewer streams that are over: 65,536 of them would be megabytes."""

    MAX_CLOSED_STREAMS = 1024


class Outgoing:
    """A response on its way. Bounds: what its user has given since there was room."""

    __slots__ = ("is_last", "pieces", "request_has_ended")

    def __init__(self, *, request_has_ended: bool) -> None:
        self.pieces: deque[memoryview] = deque()
        self.is_last = False
        self.request_has_ended = request_has_ended


class H2Conversation:
    """The server's end of one connection.

    Bounds: those of H2Limits; of each response one piece.
    """

    def __init__(self, limits: H2Limits = DEFAULT_H2_LIMITS) -> None:
        self._limits = limits
        self._streams: dict[int, Outgoing] = {}
        self._dropped: dict[int, int] = {}
        """How much was dropped of the bodies that still come, though their requests are answered."""
        self._resets = Allowance(limits.resets_burst, limits.resets_per_second)
        self._control = Allowance(limits.control_burst, limits.control_per_second)
        config = H2Configuration(client_side=False, header_encoding="latin-1")
        self._connection = ForgetfulConnection(config)
        settings = self._connection.local_settings
        settings[SettingCodes.MAX_CONCURRENT_STREAMS] = limits.streams_max
        settings[SettingCodes.MAX_HEADER_LIST_SIZE] = limits.head_bytes_max
        settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] = 0
        self._connection.decoder.max_header_list_size = limits.head_bytes_max
        self._connection.initiate_connection()
        further_bytes = limits.bodies_bytes_max - self._connection.inbound_flow_control_window
        if further_bytes > 0:
            self._connection.increment_flow_control_window(further_bytes)
        self.is_over = False
        """Whether the connection is to be closed once all is sent that was given."""
        self.is_ending = False
        """Whether the peer was told that no new request is answered."""

    # What comes.

    def receive(self, data: bytes, now_us: int) -> list[H2Event]:
        """What came; b"" is the end of the stream."""
        if self.is_over:
            return []
        if not data:
            return [self._over("the peer left", is_breach=bool(self._streams))]
        try:
            found = self._connection.receive_data(data)
        except ProtocolError as error:
            return [self._over(str(error) or type(error).__name__, is_breach=True)]
        # Whoever asks and resets at once gets nothing begun.
        reset = {event.stream_id or 0 for event in found if isinstance(event, StreamReset)}
        events: list[H2Event] = []
        for event in found:
            made = self._taken_in(event, reset, now_us)
            if made is not None:
                events.append(made)
                if isinstance(made, H2Ended):
                    break
        return events

    def taken(self, stream_id: int, window_bytes: int) -> None:
        """A piece of a body was taken: the peer may send as much again."""
        if window_bytes and not self.is_over:
            self._quietly(lambda: self._connection.acknowledge_received_data(window_bytes, stream_id))

    # What goes.

    def unsent(self) -> bytes:
        """What is to be sent and was not given yet."""
        return self._connection.data_to_send()

    def respond(
        self, stream_id: int, status: int, fields: Iterable[tuple[str, str]], *, is_last: bool = False
    ) -> None:
        """The head of a response, or of an interim one; `is_last` where there is no body. Nothing where the
        stream is over."""
        self._send_fields(stream_id, [(b":status", b"%d" % status), *octets_of(fields)], is_last=is_last)

    def trail(self, stream_id: int, fields: Iterable[tuple[str, str]]) -> None:
        """The fields behind a body, all of which was sent, though no piece of it was said to be the last."""
        self._send_fields(stream_id, octets_of(fields), is_last=True)

    def _send_fields(self, stream_id: int, block: list[tuple[bytes, bytes]], *, is_last: bool) -> None:
        outgoing = self._streams.get(stream_id)
        if outgoing is None:
            return
        self._quietly(lambda: self._connection.send_headers(stream_id, block, end_stream=is_last))
        if is_last:
            self._done(stream_id, outgoing)

    def send(self, stream_id: int, data: bytes, *, is_last: bool) -> None:
        """A piece of a response's body, as far as the windows let it; the rest goes when they do."""
        outgoing = self._streams.get(stream_id)
        if outgoing is None:
            return
        outgoing.pieces.append(memoryview(data))
        outgoing.is_last = is_last
        while self._send_frame(stream_id, outgoing):
            pass

    def is_held(self, stream_id: int) -> bool:
        """Whether a piece of a response that was given is not all sent: the windows are shut."""
        outgoing = self._streams.get(stream_id)
        return outgoing is not None and bool(outgoing.pieces)

    def is_open(self, stream_id: int) -> bool:
        """Whether a response can still be given."""
        return stream_id in self._streams

    @property
    def has_streams(self) -> bool:
        """Whether a response is not all sent."""
        return bool(self._streams)

    def refuse(self, stream_id: int) -> None:
        """A request is not begun with: its peer may ask again, elsewhere."""
        self.reset(stream_id, ErrorCodes.REFUSED_STREAM)

    def reset(self, stream_id: int, code: ErrorCodes = ErrorCodes.INTERNAL_ERROR) -> None:
        """A response cannot be completed."""
        if self._streams.pop(stream_id, None) is not None:
            self._quietly(lambda: self._connection.reset_stream(stream_id, code))
            self._leave()

    def end(self) -> None:
        """Answer what has begun, refuse what is new, and then say that this is the end."""
        self.is_ending = True
        self._leave()

    def _leave(self) -> None:
        if self.is_ending and not self._streams and not self.is_over:
            self._connection.close_connection()
            self.is_over = True

    # Inside.

    def _taken_in(self, event: Event, reset: set[int], now_us: int) -> H2Event | None:
        """One event of the package's, in ours."""
        made: H2Event | None = None
        if isinstance(event, RequestReceived):
            made = self._begun(event, reset)
        elif isinstance(event, DataReceived):
            made = self._body(event, now_us)
        elif isinstance(event, StreamEnded):
            made = self._request_ended(event.stream_id or 0)
        elif isinstance(event, StreamReset):
            made = self._reset_by_peer(event.stream_id or 0, now_us)
        elif isinstance(event, WindowUpdated):
            self._go_on()
        elif isinstance(event, ConnectionTerminated):
            made = self._over(f"the peer ended it, code {event.error_code}", is_breach=False)
        elif isinstance(event, (RemoteSettingsChanged, PingReceived, PriorityUpdated, UnknownFrameReceived)):
            if not self._control.take(now_us):
                return self._calm("too many control frames")
            if isinstance(event, RemoteSettingsChanged):
                self._go_on()
        return made

    def _begun(self, event: RequestReceived, reset: set[int]) -> H2Event | None:
        stream_id = event.stream_id or 0
        has_ended = event.stream_ended is not None
        if self.is_ending:
            self._quietly(lambda: self._connection.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM))
            return None
        self._streams[stream_id] = Outgoing(request_has_ended=has_ended)
        if stream_id in reset:
            return None
        fields = [(str(name), str(value)) for name, value in event.headers or ()]
        return H2Request(stream_id, head_of(fields, has_ended=has_ended), has_ended)

    def _body(self, event: DataReceived, now_us: int) -> H2Event | None:
        stream_id, data = event.stream_id or 0, bytes(event.data or b"")
        has_ended = event.stream_ended is not None
        if not data and not has_ended and not self._control.take(now_us):
            return self._calm("too many empty frames")
        window_bytes = event.flow_controlled_length or 0
        if stream_id not in self._streams:
            self._drop(stream_id, window_bytes, has_ended=has_ended)
            return None
        self._streams[stream_id].request_has_ended = has_ended
        return H2Body(stream_id, data, window_bytes, has_ended)

    def _drop(self, stream_id: int, window_bytes: int, *, has_ended: bool) -> None:
        """A piece of a body comes for which it is too late."""
        self.taken(stream_id, window_bytes)
        dropped_bytes = self._dropped.pop(stream_id, None)
        if dropped_bytes is None or has_ended:
            return
        if dropped_bytes + window_bytes <= self._limits.discard_bytes_max:
            self._dropped[stream_id] = dropped_bytes + window_bytes
            return
        # RFC 9113 8.1: "a server MAY request that the client abort transmission of a request without error by
        # sending a RST_STREAM with an error code of NO_ERROR".
        self._quietly(lambda: self._connection.reset_stream(stream_id, ErrorCodes.NO_ERROR))

    def _request_ended(self, stream_id: int) -> H2Event | None:
        """Told with the last piece of its body, but for one that ends with trailers, which nobody wants."""
        self._dropped.pop(stream_id, None)
        outgoing = self._streams.get(stream_id)
        if outgoing is None or outgoing.request_has_ended:
            return None
        outgoing.request_has_ended = True
        return H2Body(stream_id, b"", 0, has_ended=True)

    def _reset_by_peer(self, stream_id: int, now_us: int) -> H2Event | None:
        self._dropped.pop(stream_id, None)
        if self._streams.pop(stream_id, None) is None:
            return None  # It was answered in full.
        return H2Reset(stream_id) if self._resets.take(now_us) else self._calm("too many resets")

    def _calm(self, reason: str) -> H2Ended:
        self._connection.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
        return self._over(reason, is_breach=True)

    def _over(self, reason: str, *, is_breach: bool) -> H2Ended:
        self.is_over = True
        self._streams.clear()
        return H2Ended(reason, is_breach)

    def _go_on(self) -> None:
        """Windows have opened: every response that waits goes on, a frame each in turn."""
        waiting = [each for each in self._streams.items() if each[1].pieces]
        while waiting:
            waiting = [each for each in waiting if self._send_frame(*each)]

    def _send_frame(self, stream_id: int, outgoing: Outgoing) -> bool:
        """Send one frame; whether more may follow."""
        if not outgoing.pieces:
            return False
        connection = self._connection
        try:
            room = min(connection.local_flow_control_window(stream_id), connection.max_outbound_frame_size)
        except ProtocolError:
            self._streams.pop(stream_id, None)
            return False
        piece = outgoing.pieces[0]
        if room <= 0 and len(piece):
            return False
        now, rest = piece[:room], piece[room:]
        ends = outgoing.is_last and not len(rest) and len(outgoing.pieces) == 1
        connection.send_data(stream_id, bytes(now), end_stream=ends)
        if len(rest):
            outgoing.pieces[0] = rest
        else:
            outgoing.pieces.popleft()
        if ends:
            self._done(stream_id, outgoing)
        return bool(outgoing.pieces)

    def _done(self, stream_id: int, outgoing: Outgoing) -> None:
        """A response is all sent."""
        self._streams.pop(stream_id, None)
        if not outgoing.request_has_ended:
            self._dropped[stream_id] = 0
        self._leave()

    @staticmethod
    def _quietly(send: Callable[[], None]) -> None:
        """Send what a peer that has just ended the stream makes pointless."""
        try:
            send()
        except StreamClosedError:
            return
