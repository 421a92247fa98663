"""socket, bind, listen, accept, connect.

Source: their manual pages; RFC 9293 3.10.1.
"""

from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.packetdrill.endpoint import Endpoint
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.script import Braces, Call, Expression, Integer, Whatever
from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.symbols import NUMBERS
from gossamer.core.packetdrill.world import OK, BlockedCall, CallResult, ScriptWorld, failed
from gossamer.core.tcp.events import Abort
from gossamer.core.tcp.tcb import State, TimeWait

SOCK_TYPE_MASK: Final = 0xF
AF_INET6: Final = NUMBERS["AF_INET6"]
FAMILIES: Final = (NUMBERS["AF_INET"], AF_INET6)
NONBLOCK: Final = NUMBERS["SOCK_NONBLOCK"]
TCP_PROTOCOLS: Final = (0, NUMBERS["IPPROTO_TCP"])


def new_fd(expression: Expression) -> int:
    """The number that the script gives the descriptor it gets. Raises: Mismatch."""
    if not isinstance(expression, Integer) or expression.value < 0:
        raise Mismatch("expected an error, got a file descriptor")
    return expression.value


def socket(world: ScriptWorld, call: Call) -> CallResult:
    """A socket; packets from now on are about it."""
    family, kind, protocol = call.arguments[:3]
    domain = world.reader.number(family, AF_INET6 if world.settings.is_socket_ipv6 else FAMILIES[0])
    type_ = world.reader.number(kind)
    if domain not in FAMILIES:
        raise Unsupported(f"address family {domain}")
    if type_ & SOCK_TYPE_MASK != NUMBERS["SOCK_STREAM"]:
        raise Unsupported("socket type other than SOCK_STREAM")
    if world.reader.number(protocol, 0) not in TCP_PROTOCOLS:
        raise Unsupported(world.reader.word(protocol) or "protocol other than TCP")
    made = world.made_socket(world.settings.parameters, domain == AF_INET6)
    made.is_blocking = not type_ & NONBLOCK
    fd = new_fd(call.result)
    world.sockets[fd] = made
    world.test(made)
    return CallResult(fd)


def bind(world: ScriptWorld, call: Call) -> CallResult:
    """Only the port is of interest."""
    made = world.socket(world.reader.number(call.arguments[0]))
    if made.port:
        return failed("EINVAL")
    port = world.reader.port(call.arguments[1])
    if port is not None and port in world.host.queues:
        return failed("EADDRINUSE")
    made.port = world.settings.bind_port if port is None else port or world.local_port()
    return OK


def listen(world: ScriptWorld, call: Call) -> CallResult:
    """Passive open."""
    made = world.socket(world.reader.number(call.arguments[0]))
    if made.tcb is not None:
        return failed("EINVAL")
    made.port = made.port or world.settings.bind_port
    backlog = world.reader.number(call.arguments[1])
    if made.queue is not None:
        made.queue.backlog = backlog
        return OK
    made.queue = world.host.listen(made.port, made.parameters, backlog)
    made.queue.mss_limit, made.queue.early_max = made.mss_limit, made.early_max
    made.queue.fast_open_key = made.fast_open_key
    world.test(made)
    return OK


def accept(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """The oldest established connection."""
    listening = world.socket(world.reader.number(call.arguments[0]))
    flags = world.reader.number(call.arguments[3]) if len(call.arguments) > 3 else 0
    if listening.queue is None:
        return failed("EINVAL")

    def attempt() -> CallResult | None:
        """The connection that waits longest; None while the caller waits for one."""
        if listening.queue is None:
            return failed("EINVAL")
        if not listening.queue.ready:
            return None if listening.is_blocking else failed("EAGAIN")
        endpoint = listening.queue.ready.popleft()
        fd = new_fd(call.result)
        made = world.made_socket(listening.parameters, listening.is_ipv6)
        made.endpoint, made.port, made.is_blocking = endpoint, listening.port, not flags & NONBLOCK
        made.keepalive, made.linger_s = dict(listening.keepalive), listening.linger_s
        made.options = dict(listening.options)
        world.sockets[fd] = made
        return CallResult(fd)

    return attempt() or BlockedCall(attempt)


def connect(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """Active open."""
    made = world.socket(world.reader.number(call.arguments[0]))
    address = call.arguments[1]
    if is_unspecified(world, address):
        return _disconnected(world, made)
    if made.queue is not None or made.deferred_to is not None:
        return failed("EISCONN")
    if made.endpoint is None:
        result = _begun(world, made, address)
        if result is not None:
            return result
    elif made.is_connecting and not made.is_blocking:
        return failed("EALREADY")

    def attempt() -> CallResult | None:
        """What connecting has come to; None while it goes on."""
        if made.is_connecting:
            return None
        error = made.take_error()
        if error:
            made.endpoint = None
            made.is_error_reported = False
            return failed(error)
        tcb = made.tcb
        if tcb is None or tcb.state < State.ESTABLISHED:
            return failed("ECONNABORTED")
        if made.is_connect_reported:
            return failed("EISCONN")
        made.is_connect_reported = True
        return OK

    return attempt() or BlockedCall(attempt, NEVER_US)


def _begun(world: ScriptWorld, made: Socket, address: Expression) -> CallResult | None:
    """What connect says at once, None where it waits."""
    defers = bool(made.options.get("TCP_FASTOPEN_CONNECT")) and world.host.fast_opens.is_client
    if defers and world.host.fast_opens.can_carry:
        # tcp(7), TCP_FASTOPEN_CONNECT: the SYN waits for the data that goes with it.
        made.deferred_to = address
        return OK
    if not begin(world, made, address, b"" if defers else None):
        return failed("EADDRNOTAVAIL")
    return None if made.is_blocking else failed("EINPROGRESS")


def is_unspecified(world: ScriptWorld, address: Expression) -> bool:
    """Whether an address is of no family."""
    family = address.field("sa_family") if isinstance(address, Braces) else address
    return family is not None and world.reader.word(family) == "AF_UNSPEC"


def _disconnected(world: ScriptWorld, made: Socket) -> CallResult:
    """connect(2): "Some protocol sockets [...] may dissolve the association by connecting to an address with
    the sa_family member of sockaddr set to AF_UNSPEC"."""
    if made.endpoint is not None:
        world.host.step(made.endpoint, Abort(world.host.now_us))
    made.endpoint, made.deferred_to = None, None
    made.is_error_reported = made.is_connect_reported = made.is_read_shut = made.is_write_shut = False
    return OK


def begin(
    world: ScriptWorld, made: Socket, address: Expression, data: bytes | None = None, queues: bool = False
) -> bool:
    """Active open, by Fast Open when there is data; `queues` has it follow the handshake else. False when no
    local port is left for it."""
    port = None if isinstance(address, Whatever) else world.reader.port(address)
    remote = port or world.settings.connect_port
    chooses = not made.port
    made.port = made.port or _local_port(world, made, remote)
    if not made.port:
        return False
    ports = (made.port, remote)
    world.under_test, world.flow = made, world.flow_of(ports)
    made.endpoint = world.host.connect(
        ports, made.parameters, made.mss_limit, data, queues, takes_over=chooses
    )
    return True


def _local_port(world: ScriptWorld, made: Socket, remote: int) -> int:
    """The next local port; of IP_LOCAL_PORT_RANGE (ip(7): the lower end in the lower half) the first that
    has no connection to `remote`, be it in TIME-WAIT; else 0."""
    bounds = made.options.get("IP_LOCAL_PORT_RANGE", 0)
    if not bounds:
        return world.local_port()
    endpoints = world.host.endpoints
    for port in range(max(bounds & 0xFFFF, 1), (bounds >> 16 or 0xFFFF) + 1):
        endpoint = endpoints.get((port, remote))
        if endpoint is None or endpoint.connection is None or _is_reusable(world, endpoint):
            return port
    return 0


def _is_reusable(world: ScriptWorld, endpoint: Endpoint) -> bool:
    """Whether a flow in TIME-WAIT may be taken over, by tcp_tw_reuse: what would come of the old connection
    is told by its timestamps."""
    record, settings = endpoint.connection, world.settings
    if not isinstance(record, TimeWait) or not settings.reuses_time_wait or not record.timestamps:
        return False
    began_at_us = record.expires_at_us - record.time_wait_us
    return world.host.now_us - began_at_us >= settings.reuse_delay_us
