"""sendmsg, recvmsg, readv, writev: the same octets through vectors and message headers.

Source: their manual pages; TCP_INQ of tcp(7); the error queue of MSG_ZEROCOPY as msg_zerocopy.rst has it.
"""

from typing import Final

from gossamer.core.packetdrill.calls.transfer import FAST_OPEN, ZEROCOPY, open_with, receive, transmit
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.script import Array, Braces, Call, Expression, Whatever
from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.symbols import MESSAGE_FLAGS
from gossamer.core.packetdrill.world import OK, BlockedCall, CallResult, ScriptWorld, failed

INQ: Final = "TCP_CM_INQ"
ERRORS: Final = ("IP_RECVERR", "IPV6_RECVERR", "CMSG_TYPE_RECVERR")
ERROR_QUEUE: Final = MESSAGE_FLAGS["MSG_ERRQUEUE"]
COPIED: Final = 1
"""SO_EE_CODE_ZEROCOPY_COPIED."""
FROM_ZEROCOPY: Final = 5
"""SO_EE_ORIGIN_ZEROCOPY."""
PIECES_MAX: Final = 17
"""As many pieces as Linux's packets refer to (MAX_SKB_FRAGS); more would go in several segments there."""


def vector_bytes(world: ScriptWorld, expression: Expression) -> int:
    """The octets that [{..., 10}, {..., 20}] has room for."""
    total = 0
    for item in world.reader.items(expression):
        if not isinstance(item, Braces) or len(item.items) != 2:
            raise Mismatch("expected {..., length} in a vector")
        total += world.reader.number(item.items[1])
    return total


def writev(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """writev(2)."""
    return transmit(world, _socket(world, call), vector_bytes(world, call.arguments[1]), 0)


def readv(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """readv(2)."""
    return receive(world, _socket(world, call), vector_bytes(world, call.arguments[1]), 0)


def sendmsg(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """sendmsg(2). Control data is not to be had."""
    header = _header(call)
    control = header.field("msg_control")
    if isinstance(control, Array) and control.items:
        raise Unsupported("control data of sendmsg")
    flags = world.reader.number(call.arguments[2])
    if flags & ZEROCOPY and len(world.reader.items(header.field("msg_iov") or Whatever())) > PIECES_MAX:
        raise Unsupported(f"MSG_ZEROCOPY of more than {PIECES_MAX} pieces")
    made, count = _socket(world, call), _octets(world, header)
    if flags & FAST_OPEN:
        return open_with(world, made, header.field("msg_name") or Whatever(), count, flags & ~FAST_OPEN)
    return transmit(world, made, count, flags)


def recvmsg(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """recvmsg(2), with what TCP_INQ reports."""
    made, header = _socket(world, call), _header(call)
    flags = world.reader.number(call.arguments[2])
    if flags & ERROR_QUEUE:
        return _error(world, made, header)
    outcome = receive(world, made, _octets(world, header), flags)

    def checked(result: CallResult | None) -> CallResult | None:
        if result is not None and result.value >= 0:
            _check_header(world, made, header)
        return result

    if isinstance(outcome, BlockedCall):
        attempt = outcome.attempt
        return BlockedCall(lambda: checked(attempt()), outcome.deadline_us)
    return checked(outcome) or outcome


def _error(world: ScriptWorld, made: Socket, header: Braces) -> CallResult:
    """MSG_ERRQUEUE never waits: a completion of MSG_ZEROCOPY, or EAGAIN. Raises: Mismatch."""
    if made.options.get("IP_RECVERR") or made.options.get("IPV6_RECVERR"):
        raise Unsupported("MSG_ERRQUEUE with IP_RECVERR")
    if not made.settle().are_waiting:
        return failed("EAGAIN")
    first, last = made.completions.take()
    got = {"ee_errno": 0, "ee_origin": FROM_ZEROCOPY, "ee_type": 0, "ee_code": COPIED,
           "ee_info": first, "ee_data": last}  # fmt: skip
    _check_flags(world, header, ERROR_QUEUE)
    control = header.field("msg_control")
    if isinstance(control, Array):
        _check_extended_error(world, control, got)
    return OK


def _check_extended_error(world: ScriptWorld, control: Array, got: dict[str, int]) -> None:
    """Raises: Mismatch when it is not the one message that the script names."""
    item = control.items[0] if len(control.items) == 1 else None
    if not isinstance(item, Braces):
        raise Mismatch(f"msg_control: expected {len(control.items)} messages, got 1")
    kind, data = world.reader.word(item.field("cmsg_type") or Whatever()), item.field("cmsg_data")
    if kind and kind not in ERRORS:
        raise Mismatch(f"control message: expected {kind}, got {ERRORS[0]}")
    if not isinstance(data, Braces):
        return
    for name, value in got.items():
        expected = world.reader.number(data.field(name) or Whatever(), value)
        if expected != value:
            raise Mismatch(f"{name}: expected {expected}, got {value}")


def _check_flags(world: ScriptWorld, header: Braces, got: int) -> None:
    """Raises: Mismatch."""
    flags = header.field("msg_flags")
    if flags is not None and not isinstance(flags, Whatever):
        expected = world.reader.number(flags) & ~MESSAGE_FLAGS["MSG_CMSG_CLOEXEC"]
        if expected != got:
            raise Mismatch(f"msg_flags: expected {expected:#x}, got {got:#x}")


def _socket(world: ScriptWorld, call: Call) -> Socket:
    return world.socket(world.reader.number(call.arguments[0]))


def _header(call: Call) -> Braces:
    header = call.arguments[1]
    if not isinstance(header, Braces) or header.field("msg_iov") is None:
        raise Mismatch(f"{call.name}: expected {{msg_name(...)=..., msg_iov(1)=[...], msg_flags=0}}")
    return header


def _octets(world: ScriptWorld, header: Braces) -> int:
    vector = header.field("msg_iov")
    assert vector is not None
    return vector_bytes(world, vector)


def _check_header(world: ScriptWorld, made: Socket, header: Braces) -> None:
    """What recvmsg gives back. Raises: Mismatch."""
    _check_flags(world, header, 0)
    control = header.field("msg_control")
    if isinstance(control, Array):
        _check_control(world, made, control)


def _check_control(world: ScriptWorld, made: Socket, control: Array) -> None:
    got = {INQ: _inq(made)} if made.options.get("TCP_INQ") else {}
    names = []
    for item in control.items:
        name = world.reader.word(item.field("cmsg_type") or Whatever()) if isinstance(item, Braces) else ""
        if name != INQ or not isinstance(item, Braces):
            raise Unsupported(f"control message {name or '?'}")
        names.append(name)
        data = item.field("cmsg_data")
        if data is not None and name in got and world.reader.number(data, got[name]) != got[name]:
            raise Mismatch(f"{name}: expected {world.reader.number(data)}, got {got[name]}")
    if sorted(names) != sorted(got):
        raise Mismatch(f"msg_control: expected {names}, got {sorted(got)}")


def _inq(made: Socket) -> int:
    """Octets still to be read; one more where the end of the stream is to be read yet."""
    endpoint = made.endpoint
    if endpoint is None:
        return 0
    left = endpoint.readable_bytes
    return left if left or not endpoint.has_ended else 1
