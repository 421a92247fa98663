"""fcntl and ioctl.

Source: their manual pages; tcp(7).
"""

from typing import Final

from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.script import Call, Whatever
from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.symbols import FILE_FLAGS, REQUESTS
from gossamer.core.packetdrill.world import OK, CallResult, ScriptWorld, failed

NONBLOCK: Final = FILE_FLAGS["O_NONBLOCK"]


def fcntl(world: ScriptWorld, call: Call) -> CallResult:
    """F_GETFL and F_SETFL."""
    made = world.socket(world.reader.number(call.arguments[0]))
    command = world.reader.number(call.arguments[1])
    if command == FILE_FLAGS["F_GETFL"]:
        return CallResult(FILE_FLAGS["O_RDWR"] | (0 if made.is_blocking else NONBLOCK))
    if command != FILE_FLAGS["F_SETFL"] or len(call.arguments) < 3:
        raise Unsupported(f"fcntl {world.reader.word(call.arguments[1]) or command}")
    made.is_blocking = not world.reader.number(call.arguments[2]) & NONBLOCK
    return OK


def ioctl(world: ScriptWorld, call: Call) -> CallResult:
    """How much waits in either direction."""
    made = world.socket(world.reader.number(call.arguments[0]))
    request = world.reader.number(call.arguments[1])
    values = world.reader.items(call.arguments[2])
    if request == REQUESTS["FIONBIO"]:
        made.is_blocking = not world.reader.number(values[0])
        return OK
    if made.queue is not None:
        return failed("EINVAL")
    got = _waiting(made, request)
    if values and not isinstance(values[0], Whatever) and world.reader.number(values[0]) != got:
        raise Mismatch(f"ioctl: expected {world.reader.number(values[0])}, got {got}")
    return OK


def _waiting(made: Socket, request: int) -> int:
    endpoint = made.endpoint
    if request == REQUESTS["SIOCINQ"]:
        return 0 if endpoint is None else endpoint.readable_bytes
    if request == REQUESTS["SIOCOUTQ"]:
        return made.tcb.snd_buf_bytes + made.held_bytes if made.tcb is not None else 0
    if request == REQUESTS["SIOCOUTQNSD"]:
        return made.unsent_bytes() + made.held_bytes
    raise Unsupported(f"ioctl {request:#x}")
