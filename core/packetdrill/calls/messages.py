"""sendmsg, recvmsg, readv, writev: the same octets through vectors and message headers.

Source: their manual pages; TCP_INQ of tcp(7).
"""

from typing import Final

from gossamer.core.packetdrill.calls.transfer import receive, transmit
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.script import Array, Braces, Call, Expression, Whatever
from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.symbols import MESSAGE_FLAGS
from gossamer.core.packetdrill.world import Blocked, Result, World

INQ: Final = "TCP_CM_INQ"


def vector_bytes(world: World, expression: Expression) -> int:
    """The octets that [{..., 10}, {..., 20}] has room for."""
    total = 0
    for item in world.reader.items(expression):
        if not isinstance(item, Braces) or len(item.items) != 2:
            raise Mismatch("expected {..., length} in a vector")
        total += world.reader.number(item.items[1])
    return total


def writev(world: World, call: Call) -> Result | Blocked:
    """writev(2)."""
    return transmit(world, _socket(world, call), vector_bytes(world, call.arguments[1]), 0)


def readv(world: World, call: Call) -> Result | Blocked:
    """readv(2)."""
    return receive(world, _socket(world, call), vector_bytes(world, call.arguments[1]), 0)


def sendmsg(world: World, call: Call) -> Result | Blocked:
    """sendmsg(2). Control data is not to be had."""
    header = _header(call)
    control = header.field("msg_control")
    if isinstance(control, Array) and control.items:
        raise Unsupported("control data of sendmsg")
    return transmit(
        world, _socket(world, call), _octets(world, header), world.reader.number(call.arguments[2])
    )


def recvmsg(world: World, call: Call) -> Result | Blocked:
    """recvmsg(2), with what TCP_INQ tells."""
    made, header = _socket(world, call), _header(call)
    flags = world.reader.number(call.arguments[2])
    outcome = receive(world, made, _octets(world, header), flags)

    def checked(result: Result | None) -> Result | None:
        if result is not None and result.value >= 0:
            _check_header(world, made, header)
        return result

    if isinstance(outcome, Blocked):
        attempt = outcome.attempt
        return Blocked(lambda: checked(attempt()), outcome.deadline_us)
    return checked(outcome) or outcome


def _socket(world: World, call: Call) -> Socket:
    return world.socket(world.reader.number(call.arguments[0]))


def _header(call: Call) -> Braces:
    header = call.arguments[1]
    if not isinstance(header, Braces) or header.field("msg_iov") is None:
        raise Mismatch(f"{call.name}: expected {{msg_name(...)=..., msg_iov(1)=[...], msg_flags=0}}")
    return header


def _octets(world: World, header: Braces) -> int:
    vector = header.field("msg_iov")
    assert vector is not None
    return vector_bytes(world, vector)


def _check_header(world: World, made: Socket, header: Braces) -> None:
    """What recvmsg gives back. Raises: Mismatch."""
    flags = header.field("msg_flags")
    if flags is not None and not isinstance(flags, Whatever):
        expected = world.reader.number(flags) & ~MESSAGE_FLAGS["MSG_CMSG_CLOEXEC"]
        if expected:
            raise Mismatch(f"msg_flags: expected {expected:#x}, got 0")
    control = header.field("msg_control")
    if isinstance(control, Array):
        _check_control(world, made, control)


def _check_control(world: World, made: Socket, control: Array) -> None:
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
