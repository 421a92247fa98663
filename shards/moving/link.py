"""A link between two workers, while queues go from one to the other: messages over a Unix stream socket.

Owns the messages and their framing, and the descriptors that go with some of them: each comes with the first
octet of its message at the latest. What a message sets off is `handover`. Both ends are workers of one
server, of the same user and the same rights; what cannot be read ends the link.

Bounds: MESSAGE_BYTES_MAX a message. LINK_BYTES_MAX, at which who posts looks (`is_full`).

Source: unix(7), SCM_RIGHTS.
"""

import errno
import logging
import os
import socket
from collections import deque
from typing import Annotated, Final, NamedTuple

import msgspec

from gossamer.core.loop.continuing import Identity, NamedFile
from gossamer.core.loop.fd.call import Descriptor, FdClose, FdReadable, FdWritable
from gossamer.core.loop.sock.moving import MovedSocket
from gossamer.core.loop.tcp.moved import MovedConnection, Standing
from gossamer.core.records import decoded, encoded
from gossamer.core.tcp.syn_cookie import CookieSecrets
from gossamer.core.threads.sync import Event
from gossamer.core.wire.flow import FLOW_BYTES, Flow
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.proxy_protocol import NOBODY
from gossamer.core.wire.segment import EcnBytes, Segment, SynOptions
from gossamer.core.wire.text import octets_of
from gossamer.shards.letters.rights import DESCRIPTORS_MAX, receive_rights, send_rights

log = logging.getLogger("gossamer.worker")

READ_BYTES: Final = 1 << 18
LENGTH_BYTES: Final = 4
MESSAGE_BYTES_MAX: Final = 1 << 28
"""A connection may have much to send."""
WRITE_BYTES: Final = 1 << 18
"""Of small messages that go with one system call."""
LINK_BYTES_MAX: Final = 1 << 20
"""What may wait to be sent over a link: beyond it connections wait to move, and packets are dropped."""


FlowOctets = Annotated[bytes, msgspec.Meta(min_length=FLOW_BYTES, max_length=FLOW_BYTES)]
AnnouncedOctets = Annotated[bytes, msgspec.Meta(max_length=FLOW_BYTES)]


class HandedOn(msgspec.Struct, frozen=True, array_like=True, tag="packet"):
    """A segment that came for a connection of the other end, or did not find it there."""

    flow: FlowOctets
    numbers: tuple[int, int, int, int, int, int, int, int, int]
    """Sequence and acknowledgment number, flags, window, timestamps, urgent pointer, ECN, user timeout."""
    payload: bytes
    sack: tuple[tuple[int, int], ...] = ()
    syn_options: tuple[int, int, bool, bytes | None] | None = None
    ecn_bytes: tuple[int, int, int, bool] | None = None
    is_cookie_experimental: bool = False


class ErrorHandedOn(msgspec.Struct, frozen=True, array_like=True, tag="error"):
    """An ICMP error about a segment of the other end's, or about none that was found there."""

    flow: FlowOctets
    numbers: tuple[int, int, int, int]
    """ICMP type and code, the sequence number that is quoted, the MTU."""


class FileComes(msgspec.Struct, frozen=True, array_like=True, tag="file"):
    """A file that connections which follow are sent; its descriptor comes with the message."""

    name: str
    identity: Identity


class Given(msgspec.Struct, frozen=True, array_like=True, tag="given"):
    """The queues are the other end's: what could move has moved."""

    cookies: bytes
    """Secrets of the SYN cookies that are out (`core.tcp.syn_cookie`)."""


class Taken(msgspec.Struct, frozen=True, array_like=True, tag="taken"):
    """They are read there."""


class Adopted(msgspec.Struct, frozen=True, array_like=True, tag="adopted"):
    """So many more sockets that came are served there: whoever gave them closes its own."""

    count: int


Message = MovedConnection | FileComes | HandedOn | ErrorHandedOn | Given | Taken | MovedSocket | Adopted


class WrittenConnection(msgspec.Struct, frozen=True, array_like=True, tag="moved"):
    """A connection on its way, as it is written: in the native build msgspec knows nothing of the core's own
    record."""

    flow: FlowOctets
    place: int
    record: bytes
    until_us: int
    state: bytes = b""
    files: tuple[tuple[int, NamedFile], ...] = ()
    announced: AnnouncedOctets = NOBODY


Written = WrittenConnection | FileComes | HandedOn | ErrorHandedOn | Given | Taken | MovedSocket | Adopted

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Written)
_record_encoder = msgspec.msgpack.Encoder(enc_hook=encoded)
_secrets_decoder = msgspec.msgpack.Decoder(CookieSecrets, dec_hook=decoded)


def written(message: Message) -> bytes:
    """A message as octets."""
    if not isinstance(message, MovedConnection):
        return _encoder.encode(message)
    about = (message.until_us, message.state, message.files, message.announced)
    return _encoder.encode(WrittenConnection(message.flow, int(message.place), message.record, *about))


def read(octets: memoryview) -> Message:
    """The message again. Raises: msgspec.DecodeError."""
    found: Written = _decoder.decode(octets)
    if not isinstance(found, WrittenConnection):
        return found
    try:
        place = Standing(found.place)
        about = (found.until_us, found.state, found.files, found.announced)
        return MovedConnection(found.flow, place, found.record, *about)
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
    by_ecn = segment.ecn_bytes
    ecn_bytes = None if by_ecn is None else (by_ecn.ee0b, by_ecn.eceb, by_ecn.ee1b, by_ecn.is_order_1)
    is_experimental = found is not None and found.is_cookie_experimental
    payload = octets_of(segment.payload)
    return HandedOn(flow, numbers, payload, segment.sack, options, ecn_bytes, is_experimental)


def segment_of(packet: HandedOn) -> Segment:
    """The segment again."""
    seq, ack, flags, window, ts_val, ts_ecr, urgent, ecn, user_timeout_s = packet.numbers
    found = packet.syn_options
    options = None if found is None else SynOptions(*found, packet.is_cookie_experimental)
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
        ecn_bytes=None if packet.ecn_bytes is None else EcnBytes(*packet.ecn_bytes),
    )


def error_of(error: ErrorHandedOn) -> IcmpMessage:
    """The ICMP error again."""
    return IcmpMessage(Flow(error.flow), *error.numbers)


def error_message(error: IcmpMessage) -> ErrorHandedOn:
    """An ICMP error on its way."""
    return ErrorHandedOn(error.flow, (error.kind, error.code, error.seq, error.mtu))


def given_with(secrets: CookieSecrets) -> Given:
    """The end of what could move."""
    return Given(_record_encoder.encode(secrets))


def secrets_of(given: Given) -> CookieSecrets:
    """The secrets in it. Raises: msgspec.DecodeError."""
    return _secrets_decoder.decode(given.cookies)


class Posted(NamedTuple):
    """What waits to be sent."""

    octets: bytes
    fd: int | None


class WorkerLink:
    """One end."""

    def __init__(self, sock: socket.socket) -> None:
        """It owns the socket from now on."""
        sock.setblocking(False)
        self._sock = sock
        # The descriptor is closed by the loop; the socket only lends its methods.
        self._descriptor = Descriptor(os.dup(sock.fileno()))
        self._outbox: deque[Posted] = deque()
        self._unread = bytearray()
        self._fds: deque[int] = deque()
        """Descriptors that have come, and whose messages nobody has asked for yet."""
        self._filled = Event()
        self.waiting_bytes = 0
        """Posted, and not yet taken by the kernel."""
        self.has_ended = False
        """Whether all was heard that the other end had to say before it was gone, or this one was closed."""
        self._is_deaf = False
        """Whether the other end reads no more; what it has said before that is still to be heard."""

    @property
    def is_gone(self) -> bool:
        """Whether nothing that is posted from now on is read."""
        return self.has_ended or self._is_deaf

    @property
    def is_full(self) -> bool:
        """Whether nothing more had better be posted now."""
        return self.waiting_bytes >= LINK_BYTES_MAX

    def post(self, message: Message, fd: int | None = None) -> None:
        """Have a message sent after those before it, and a descriptor with it, which is closed then; returns
        at once."""
        if self.is_gone:
            _close(fd)
            return
        content = written(message)
        self._outbox.append(Posted(len(content).to_bytes(LENGTH_BYTES, "big") + content, fd))
        self.waiting_bytes += LENGTH_BYTES + len(content)
        self._filled.set()

    async def write(self) -> None:
        """Send what is posted, until the link ends."""
        while not self.has_ended:
            await self._filled.wait()
            self._filled = Event()
            try:
                while self._outbox and not self.has_ended:
                    await self._send(*self._next())
            except OSError:
                # It has gone, and may have said its last just before: whoever receives finds the end.
                self._is_deaf = True
                self._drop_outbox()
        self._drop()

    def _next(self) -> Posted:
        """What goes next: a message with a descriptor alone, others together."""
        first = self._outbox.popleft()
        parts, size = [first.octets], len(first.octets)
        while first.fd is None and self._outbox and self._outbox[0].fd is None and size < WRITE_BYTES:
            octets = self._outbox.popleft().octets
            parts.append(octets)
            size += len(octets)
        return Posted(b"".join(parts), first.fd)

    async def _send(self, octets: bytes, fd: int | None) -> None:
        """Raises: OSError."""
        rest = memoryview(octets)
        try:
            while rest and not self.has_ended:
                try:
                    count = send_rights(self._sock, rest, () if fd is None else (fd,))
                except BlockingIOError:
                    await FdWritable(self._descriptor)
                    continue
                rest = rest[count:]
                self.waiting_bytes -= count
                _close(fd)
                fd = None
        finally:
            _close(fd)

    async def receive(self) -> list[Message]:
        """What the other end has said since, at least one message; none once the link has ended."""
        while not self.has_ended:
            try:
                data = await self._read()
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

    async def _read(self) -> bytes:
        """What has come, b"" at the end. Raises: OSError."""
        while True:
            try:
                data, descriptors, is_cut = receive_rights(self._sock, READ_BYTES, DESCRIPTORS_MAX)
            except BlockingIOError:
                await FdReadable(self._descriptor)
                continue
            self._fds.extend(descriptors)
            if is_cut:
                raise OSError(errno.EMFILE, "a descriptor that came has found no room")
            return data

    def take_fd(self) -> int:
        """The descriptor of the next message that has one, which is the caller's. Raises: IndexError where
        none came with it."""
        return self._fds.popleft()

    async def close(self) -> None:
        """End the link; twice is harmless."""
        self.has_ended = True
        self._filled.set()
        self._drop()
        self._sock.close()
        await FdClose(self._descriptor)

    def _drop_outbox(self) -> None:
        while self._outbox:
            _close(self._outbox.popleft().fd)
        self.waiting_bytes = 0

    def _drop(self) -> None:
        """Close the descriptors that nobody gets any more."""
        self._drop_outbox()
        while self._fds:
            os.close(self._fds.popleft())


def _close(fd: int | None) -> None:
    """Close a descriptor, if there is one."""
    if fd is not None:
        os.close(fd)


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
