"""read, write and their kin.

What octets a script writes does not matter: as many zeros are sent.

Source: their manual pages; RFC 9293 3.10.2 and 3.10.3.
"""

from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.packetdrill.calls.opening import begin, is_unspecified
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.script import Call, Expression, Integer, Whatever, Word
from gossamer.core.packetdrill.sockets import READABLE, SENDING, Socket
from gossamer.core.packetdrill.symbols import MESSAGE_FLAGS
from gossamer.core.packetdrill.world import BlockedCall, CallResult, ScriptWorld, failed
from gossamer.core.tcp.events import Receive

PEEK: Final = MESSAGE_FLAGS["MSG_PEEK"]
DONTWAIT: Final = MESSAGE_FLAGS["MSG_DONTWAIT"]
WAITALL: Final = MESSAGE_FLAGS["MSG_WAITALL"]
FAST_OPEN: Final = MESSAGE_FLAGS["MSG_FASTOPEN"]
MORE: Final = MESSAGE_FLAGS["MSG_MORE"]
EOR: Final = MESSAGE_FLAGS["MSG_EOR"]
RECEIVE_FLAGS: Final = (
    PEEK | DONTWAIT | WAITALL | MESSAGE_FLAGS["MSG_TRUNC"] | MESSAGE_FLAGS["MSG_NOSIGNAL"]
    | MESSAGE_FLAGS["MSG_CMSG_CLOEXEC"]
)  # fmt: skip
ZEROCOPY: Final = MESSAGE_FLAGS["MSG_ZEROCOPY"]
SEND_FLAGS: Final = DONTWAIT | MORE | EOR | ZEROCOPY | MESSAGE_FLAGS["MSG_NOSIGNAL"]
BYTES_MAX: Final = 1 << 26


def check_flags(flags: int, known: int) -> None:
    """Raises: Unsupported for the first flag that is not among the known ones."""
    for name, bit in MESSAGE_FLAGS.items():
        if flags & bit & ~known:
            raise Unsupported(name)


def count_of(world: ScriptWorld, call: Call, index: int) -> int:
    """How many octets. Raises: Mismatch."""
    count = world.reader.number(call.arguments[index])
    if not 0 <= count <= BYTES_MAX:
        raise Mismatch(f"{call.name}: expected a length from 0 to {BYTES_MAX}, got {count}")
    return count


def is_nowhere(call: Call, count: int) -> bool:
    """Whether the buffer is NULL and something should go there, or come from there."""
    buffer = call.arguments[1]
    is_null = buffer in (Word("NULL"), Integer(0))
    return is_null and count > 0


def read(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """read(2)."""
    if is_nowhere(call, count_of(world, call, 2)) and _socket(world, call).events() & READABLE:
        return failed("EFAULT")
    return receive(world, _socket(world, call), count_of(world, call, 2), 0)


def recv(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """recv(2), recvfrom(2)."""
    return receive(
        world, _socket(world, call), count_of(world, call, 2), world.reader.number(call.arguments[3])
    )


def write(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """write(2)."""
    if is_nowhere(call, count_of(world, call, 2)):
        return failed(_refusal(_socket(world, call)) or "EFAULT")
    return transmit(world, _socket(world, call), count_of(world, call, 2), 0)


def send(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """send(2), sendto(2); with MSG_FASTOPEN an active open that has data."""
    made, count, flags = (
        _socket(world, call),
        count_of(world, call, 2),
        world.reader.number(call.arguments[3]),
    )
    if is_nowhere(call, count):
        return failed(_refusal(made) or "EFAULT")
    is_implied = made.endpoint is None and made.queue is None and made.early_max is not None
    if flags & FAST_OPEN or (is_implied and len(call.arguments) > 4):
        address = call.arguments[4] if len(call.arguments) > 4 else Whatever()
        return open_with(world, made, address, count, flags & ~FAST_OPEN)
    return transmit(world, made, count, flags)


def open_with(
    world: ScriptWorld, made: Socket, address: Expression, count: int, flags: int
) -> CallResult | BlockedCall:
    """RFC 7413: the data goes with the SYN when there is a cookie; else it follows the handshake."""
    check_flags(flags, SEND_FLAGS)
    if not world.host.fast_opens.is_client or is_unspecified(world, address):
        return failed("EOPNOTSUPP")
    if made.endpoint is not None and not made.endpoint.is_established:
        return failed("EALREADY")
    if made.endpoint is not None and made.is_connect_reported:
        return failed("EISCONN")
    if made.endpoint is not None:
        # As a second connect does: the first call that meets the connection takes notice of it.
        made.is_connect_reported = True
        return transmit(world, made, count, flags)
    waits = made.is_blocking and not flags & DONTWAIT
    made.is_connect_reported, made.deferred_to = waits, None
    queues = made.early_max is not None or (waits and world.host.fast_opens.can_carry)
    if not begin(world, made, address, bytes(count), queues=queues):
        return failed("EADDRNOTAVAIL")
    put = made.tcb.snd_buf_bytes if made.tcb is not None else 0
    made.completions.put_bytes += put
    if put == count or (put and not made.is_blocking):
        _complete(made, flags)
    if put and waits and made.endpoint is not None:
        made.endpoint.has_writer = True
    if not waits:
        return CallResult(put) if put else failed("EINPROGRESS")
    # Linux waits for the handshake, even when the SYN took all.
    waits = put < count or made.early_max is None
    rest = transmit(world, made, count - put, flags) if waits else CallResult(0)
    if isinstance(rest, CallResult):
        return CallResult(put + rest.value) if rest.value >= 0 else rest
    attempt = rest.attempt

    def whole() -> CallResult | None:
        result = attempt()
        return CallResult(put + result.value) if result is not None and result.value >= 0 else result

    return BlockedCall(whole, rest.deadline_us)


def sendfile(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """sendfile(2), whatever the file."""
    return transmit(world, _socket(world, call), count_of(world, call, 3), 0)


def _socket(world: ScriptWorld, call: Call) -> Socket:
    return world.socket(world.reader.number(call.arguments[0]))


def receive(world: ScriptWorld, made: Socket, count: int, flags: int) -> CallResult | BlockedCall:
    """RECEIVE, with the flags of recv(2)."""
    check_flags(flags, RECEIVE_FLAGS)
    waits = made.is_blocking and not flags & DONTWAIT
    taken = 0

    def attempt() -> CallResult | None:
        """The octets taken; None while the caller waits for more."""
        nonlocal taken
        if made.endpoint is None and made.deferred_to is not None:
            return None if waits else failed("EAGAIN")
        if made.endpoint is None:
            return failed("ENOTCONN")
        taken += _take(world, made, count - taken, bool(flags & PEEK))
        if taken and not (flags & WAITALL and taken < count and _goes_on(made)):
            return CallResult(taken)
        if not count and made.endpoint.readable_bytes:
            return CallResult(0)
        error = made.take_error()
        if error:
            return failed(error)
        if not _goes_on(made):
            return CallResult(taken)
        if not waits:
            return CallResult(taken) if taken else failed("EAGAIN")
        return None

    return attempt() or BlockedCall(attempt, NEVER_US)


def _goes_on(made: Socket) -> bool:
    """Whether more can still come."""
    endpoint = made.endpoint
    return endpoint is not None and not (endpoint.has_ended or made.is_read_shut or made.tcb is None)


def _take(world: ScriptWorld, made: Socket, count: int, peeks: bool) -> int:
    """Take octets out of the receive buffer; how many."""
    endpoint = made.endpoint
    assert endpoint is not None
    available = min(count, endpoint.readable_bytes)
    if peeks or not available:
        return available
    if made.tcb is None:
        endpoint.remains = endpoint.remains[available:]
        return available
    world.host.step(endpoint, Receive(available, world.host.now_us))
    taken = len(endpoint.delivered)
    endpoint.delivered = b""
    if endpoint.tcb is not None and not endpoint.tcb.rcv_buf_bytes and not endpoint.has_ended:
        # The end of the stream shows once everything before it was taken.
        world.host.step(endpoint, Receive(0, world.host.now_us))
    return taken


def transmit(world: ScriptWorld, made: Socket, count: int, flags: int) -> CallResult | BlockedCall:
    """SEND, with the flags of send(2)."""
    check_flags(flags, SEND_FLAGS)
    if made.deferred_to is not None:
        address, made.deferred_to = made.deferred_to, None
        return open_with(world, made, address, count, flags)
    waits = made.is_blocking and not flags & DONTWAIT
    put = 0

    def attempt() -> CallResult | None:
        """The octets put; None while the caller waits for room."""
        nonlocal put
        error = made.take_error() or _refusal(made)
        if error:
            return ended() if put and made.endpoint and made.endpoint.is_established else failed(error)
        if put < count and (waits or not made.is_connecting):
            # RFC 9293 3.10.2, SYN-SENT: "Queue the data for transmission after entering ESTABLISHED state."
            put += world.put(made, count - put, bool(flags & MORE), ends_record=bool(flags & EOR))
        if put and made.is_connecting and made.endpoint is not None:
            made.endpoint.has_writer = True
        if put == count and not (waits and made.is_connecting):
            return ended()
        if not waits:
            return ended() if put else failed("EAGAIN")
        return None

    def ended() -> CallResult:
        if put:
            _complete(made, flags)
        return CallResult(put)

    return attempt() or BlockedCall(attempt, NEVER_US)


def _complete(made: Socket, flags: int) -> None:
    """A call is over: MSG_ZEROCOPY wants to hear when its octets are. "The flag is ignored" by a socket
    without SO_ZEROCOPY."""
    if flags & ZEROCOPY and made.options.get("SO_ZEROCOPY"):
        made.completions.expect()


def _refusal(made: Socket) -> str:
    """Why nothing can be sent."""
    if made.endpoint is None:
        return "ENOTCONN" if made.queue is not None else "EPIPE"
    if made.is_connecting:
        return ""
    tcb = made.tcb
    if made.is_write_shut or tcb is None or (tcb.state not in SENDING and not made.endpoint.is_early):
        return "EPIPE"
    return ""
