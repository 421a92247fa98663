"""A link between two workers, while queues go from one to the other: messages over a Unix stream socket.

Owns the messages and their framing. What a message sets off is `shards.handover`. Both ends are workers of
one server, of the same user and the same rights; what cannot be read ends the link.

Bounds: MESSAGE_BYTES_MAX a message. Who posts looks at `waiting_bytes`.
"""

import logging
import socket
from typing import Annotated, Final

import msgspec

from gossamer.core.loop.fd.call import Descriptor, FdClose, FdRead, FdWrite
from gossamer.core.loop.tcp.moving import MovedConnection, Standing
from gossamer.core.records import decoded, encoded
from gossamer.core.tcp.syn_cookie import CookieSecrets
from gossamer.core.threads.sync import Event
from gossamer.core.wire.flow import FLOW_BYTES
from gossamer.core.wire.segment import Segment, SynOptions
from gossamer.core.wire.text import octets_of

log = logging.getLogger("gossamer.worker")

READ_BYTES: Final = 1 << 18
LENGTH_BYTES: Final = 4
MESSAGE_BYTES_MAX: Final = 1 << 28
"""A connection may have much to send."""


FlowOctets = Annotated[bytes, msgspec.Meta(min_length=FLOW_BYTES, max_length=FLOW_BYTES)]


class HandedOn(msgspec.Struct, frozen=True, array_like=True, tag="packet"):
    """A segment that came for a connection of the other end, or did not find it there."""

    flow: FlowOctets
    numbers: tuple[int, int, int, int, int, int, int, int, int]
    """Sequence and acknowledgment number, flags, window, timestamps, urgent pointer, ECN, user timeout."""
    payload: bytes
    sack: tuple[tuple[int, int], ...] = ()
    syn_options: tuple[int, int, bool, bytes | None] | None = None


class Given(msgspec.Struct, frozen=True, array_like=True, tag="given"):
    """The queues are the other end's: what could move has moved."""

    cookies: bytes
    """Secrets of the SYN cookies that are out (`core.tcp.syn_cookie`)."""


class Taken(msgspec.Struct, frozen=True, array_like=True, tag="taken"):
    """They are read there."""


Message = MovedConnection | HandedOn | Given | Taken


class WrittenConnection(msgspec.Struct, frozen=True, array_like=True, tag="moved"):
    """A connection on its way, as it is written: in the native build msgspec knows nothing of the core's own
    record."""

    flow: FlowOctets
    place: int
    record: bytes
    until_us: int


Written = WrittenConnection | HandedOn | Given | Taken

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Written)
_record_encoder = msgspec.msgpack.Encoder(enc_hook=encoded)
_secrets_decoder = msgspec.msgpack.Decoder(CookieSecrets, dec_hook=decoded)


def written(message: Message) -> bytes:
    """A message as octets."""
    if isinstance(message, MovedConnection):
        place = int(message.place)
        return _encoder.encode(WrittenConnection(message.flow, place, message.record, message.until_us))
    return _encoder.encode(message)


def read(octets: memoryview) -> Message:
    """The message again. Raises: msgspec.DecodeError."""
    found: Written = _decoder.decode(octets)
    if not isinstance(found, WrittenConnection):
        return found
    try:
        return MovedConnection(found.flow, Standing(found.place), found.record, found.until_us)
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from error


def packet_of(flow: bytes, segment: Segment) -> HandedOn:
    """A segment on its way: one that has come, whose text is octets."""
    numbers = (
        *(segment.seq, segment.ack, segment.flags, segment.window, segment.ts_val, segment.ts_ecr),
        *(segment.urgent, segment.ecn, segment.user_timeout_s),
    )
    found = segment.syn_options
    options = None if found is None else (found.mss, found.window_scale, found.sack_permitted, found.cookie)
    return HandedOn(flow, numbers, octets_of(segment.payload), segment.sack, options)


def segment_of(packet: HandedOn) -> Segment:
    """The segment again."""
    seq, ack, flags, window, ts_val, ts_ecr, urgent, ecn, user_timeout_s = packet.numbers
    options = None if packet.syn_options is None else SynOptions(*packet.syn_options)
    return Segment(
        seq,
        ack,
        flags,
        window,
        ts_val,
        ts_ecr,
        packet.payload,
        packet.sack,
        options,
        urgent,
        ecn,
        user_timeout_s,
    )


def given_with(secrets: CookieSecrets) -> Given:
    """The end of what could move."""
    return Given(_record_encoder.encode(secrets))


def secrets_of(given: Given) -> CookieSecrets:
    """The secrets in it. Raises: msgspec.DecodeError."""
    return _secrets_decoder.decode(given.cookies)


class WorkerLink:
    """One end."""

    def __init__(self, sock: socket.socket) -> None:
        """It owns the socket from now on."""
        sock.setblocking(False)
        self._descriptor = Descriptor(sock.detach())
        self._outbox: list[bytes] = []
        self._unread = bytearray()
        self._filled = Event()
        self.waiting_bytes = 0
        """Posted, and not yet taken by the kernel."""
        self.has_ended = False
        """Whether the other end is gone, or this one was closed."""

    def post(self, message: Message) -> None:
        """Have a message sent after those before it; returns at once."""
        content = written(message)
        self._outbox.append(len(content).to_bytes(LENGTH_BYTES, "big") + content)
        self.waiting_bytes += LENGTH_BYTES + len(content)
        self._filled.set()

    async def write(self) -> None:
        """Send what is posted, until the link ends."""
        while not self.has_ended:
            await self._filled.wait()
            self._filled = Event()
            data = b"".join(self._outbox)
            self._outbox.clear()
            try:
                await FdWrite(self._descriptor, data)
            except OSError:
                self.has_ended = True
            self.waiting_bytes -= len(data)

    async def receive(self) -> list[Message]:
        """What the other end has said since, at least one message; none once the link has ended."""
        while not self.has_ended:
            try:
                data = await FdRead(self._descriptor, READ_BYTES)
                self._unread += data
                found = _taken_from(self._unread) if data else []
            except OSError:
                break
            except msgspec.DecodeError as error:
                log.error("the other end of a link says what is no message: %s", error)
                break
            if found:
                return found
            if not data:
                break
        self.has_ended = True
        self._filled.set()
        return []

    async def close(self) -> None:
        """End the link; twice is harmless."""
        self.has_ended = True
        self._filled.set()
        await FdClose(self._descriptor)


def _taken_from(unread: bytearray) -> list[Message]:
    """The messages that have come whole; they are taken out. Raises: msgspec.DecodeError."""
    found, begin = [], 0
    while len(unread) - begin >= LENGTH_BYTES:
        length = int.from_bytes(unread[begin : begin + LENGTH_BYTES], "big")
        if length > MESSAGE_BYTES_MAX:
            raise msgspec.DecodeError(f"a message of {length} bytes")
        end = begin + LENGTH_BYTES + length
        if len(unread) < end:
            break
        found.append(read(memoryview(unread)[begin + LENGTH_BYTES : end]))
        begin = end
    del unread[:begin]
    return found
