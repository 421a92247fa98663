"""The calls of TCPSockIO, and the records that they name.

Owns the mutable record of one connection and of one listener of the functional TCP, as `core.loop.tcp.loop`
keeps them, and the call values: those of `core.loop.streamcall` for such records. The connection itself is a
value in it: `tcb`. It performs nothing.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import misuse
from gossamer.core.loop.checks import check_address, check_opening, whole_bytes
from gossamer.core.loop.streamcall import (
    AcceptorAccept,
    AcceptorClose,
    Idle,
    StreamAbort,
    StreamClose,
    StreamGetInfo,
    StreamGetOptions,
    StreamRecv,
    StreamRecvIdle,
    StreamSend,
    StreamSendFile,
    StreamSetOptions,
    StreamShutdown,
)
from gossamer.core.tcp import tcb as records
from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.parked import Records
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.threads.waiters import Waiters
from gossamer.core.wire.flow import Address, Flow
from gossamer.core.wire.proxy_protocol import NOBODY
from gossamer.core.wire.text import Extent

R = TypeVar("R")


class Connection:
    """One connection of the functional TCP. At most one thread receives and one sends at a time.

    Each field is written by one file of this room, which says so at its head; all others only read it."""

    __slots__ = (
        "announced",
        "armed_us",
        "failure",
        "flow",
        "idle",
        "is_closed",
        "listener",
        "on_soft_error",
        "on_urgent",
        "parked_us",
        "recv_bytes_max",
        "recv_deadline_us",
        "recv_thread",
        "remains",
        "send_deadline_us",
        "send_is_last",
        "send_rest",
        "send_thread",
        "tcb",
    )

    def __init__(self, flow: Flow, tcb: Tcb, listener: "Listener | None") -> None:
        self.flow: Flow = flow
        self.tcb: Tcb | None = tcb
        """None once the connection is over or in TIME-WAIT."""
        self.listener: Listener | None = listener
        """While it is half open or not accepted: who will hand it out."""
        self.announced: Flow = NOBODY
        """Whom its peer, a proxy, has said that it speaks for, and where that came to."""
        self.failure: Failure | None = None
        """Why it ended, other than by CLOSE."""
        self.is_closed: bool = False
        """Whether its user has closed or aborted it."""
        self.remains: bytes = b""
        """Octets that no longer stand in the receive buffer, and no RECEIVE has taken: the next one does."""
        self.armed_us: int = NEVER_US
        """The earliest place where it stands in the heap of deadlines."""
        self.parked_us: int = NEVER_US
        """The latest one, where it stands there more than once."""
        self.recv_thread: Thread[Any] | None = None
        self.recv_bytes_max: int = 0
        """What the blocked RECEIVE would take; 0 when none is blocked."""
        self.recv_deadline_us: int = NEVER_US
        self.idle: Idle | None = None
        """How the RECEIVE that blocked last has said that its thread can be dismissed."""
        self.send_thread: Thread[Any] | None = None
        self.send_rest: Rest | None = None
        """What the blocked SEND still has to put into the send buffer."""
        self.send_is_last: bool = False
        self.send_deadline_us: int = NEVER_US
        self.on_soft_error: Callable[[OSError], None] | None = None
        """Called with the OSError for an ICMP error, and with a TimeoutError when R1 is reached: the
        connection goes on (RFC 9293 3.9.1.8, MUST-47 and SHLD-9). It may wake a thread, but neither block nor
        raise."""
        self.on_urgent: Callable[[int], None] | None = None
        """Called when the peer marks urgent data, before any of it is received, with how many octets the mark
        is ahead (RFC 9293 3.8.5, MUST-32). It may wake a thread, but neither block nor raise."""

    def announce(self, announced: Flow) -> None:
        """Keep what a proxy has said; NOBODY is that it has named nobody."""
        self.announced = announced


class AnnouncedMaker(msgspec.Struct, frozen=True):
    """Makes the stream anew of a connection of which a proxy has said something."""

    make: Callable[..., Connection]
    announced: Flow

    def __call__(self, flow: Flow, tcb: Tcb, listener: "Listener | None") -> Connection:
        connection = self.make(flow, tcb, listener)
        connection.announce(self.announced)
        return connection


def maker_of(make: Callable[..., Connection], announced: Flow) -> Callable[..., Connection]:
    """What makes such a stream."""
    return AnnouncedMaker(make, announced) if announced else make


def announced_by(make: Callable[..., Connection]) -> Flow:
    """What a proxy has said of the connection that `make` makes."""
    return make.announced if type(make) is AnnouncedMaker else NOBODY


class Rest:
    """What a blocked SEND has left, and what it is answered in the end."""

    __slots__ = ("answer", "data")

    def __init__(self, data: memoryview | Extent, answer: int | None) -> None:
        self.data: memoryview | Extent = data
        self.answer: int | None = answer


class Parked(msgspec.Struct, frozen=True):
    """What is kept of a connection while it is parked (`core.loop.tcp.parking`)."""

    numbers: bytes
    records: Records
    parameters: TcpParameters
    until_us: int
    """When the time of the RECEIVE is over."""


class Asleep(Parked, frozen=True):
    """One whose thread is blocked in RECEIVE."""

    connection: Connection


class Dismissed(Parked, frozen=True, gc=False):
    """One whose thread was dismissed."""

    idle: Idle
    kind: Callable[..., Connection]
    """Makes the stream anew."""


def announced_of(parked: Parked) -> Flow:
    """What a proxy has said of one that is parked."""
    if type(parked) is Asleep:
        return parked.connection.announced
    assert type(parked) is Dismissed
    return announced_by(parked.kind)


class SeenConnection(msgspec.Struct, frozen=True):
    """A connection as somebody sees it who has nothing to do with it."""

    flow: Flow
    announced: Flow
    info: TcpInfo
    age_us: int
    """See `core.tcp.isn.age_us`."""


class Listener:
    """One listening socket of the functional TCP."""

    __slots__ = ("accepted", "address", "half_open", "is_closed", "make", "takes_new", "tcp", "threads")

    def __init__(self, address: Address, tcp: records.Listener, make: Callable[..., Connection]) -> None:
        self.address: Address = address
        self.tcp: records.Listener = tcp
        self.make: Callable[..., Connection] = make
        """Makes the stream of a new connection."""
        # Not a dict: finding its first entry walks over all that were deleted before it.
        self.half_open: OrderedDict[Connection, None] = OrderedDict()
        """The SYN queue: connections in SYN-RECEIVED, the oldest first; at most `syn_backlog`."""
        self.accepted: OrderedDict[Connection, None] = OrderedDict()
        """The accept queue: established, not yet accepted; at most `accept_backlog`."""
        self.threads: Waiters[Thread[Any]] = Waiters()
        """Blocked in accept."""
        self.takes_new: bool = True
        """Whether a SYN opens a connection; else it finds nobody here."""
        self.is_closed: bool = False

    @property
    def is_oldest_unanswered(self) -> bool:
        """Whether the oldest half-open connection let its first SYN-ACK time out, as those of a flood of SYNs
        do; real ones of a burst do not."""
        oldest = next(iter(self.half_open), None)
        return oldest is not None and oldest.tcb is not None and oldest.tcb.backoff > 0


class TcpRecv(StreamRecv, frozen=True):
    """`StreamRecv` on the functional TCP."""

    record = Connection


class TcpRecvIdle(StreamRecvIdle, frozen=True):
    """`StreamRecvIdle` on the functional TCP."""

    record = Connection


class TcpSend(StreamSend, frozen=True):
    """`StreamSend` on the functional TCP."""

    record = Connection


class TcpSendFile(StreamSendFile, frozen=True):
    """`StreamSendFile` on the functional TCP."""

    record = Connection


class TcpShutdown(StreamShutdown, frozen=True):
    """`StreamShutdown` on the functional TCP."""

    record = Connection


class TcpClose(StreamClose, frozen=True):
    """`StreamClose` on the functional TCP."""

    record = Connection


class TcpAbort(StreamAbort, frozen=True):
    """`StreamAbort` on the functional TCP."""

    record = Connection


class TcpSetOptions(StreamSetOptions, frozen=True):
    """`StreamSetOptions` on the functional TCP."""

    record = Connection


class TcpGetOptions(StreamGetOptions, frozen=True):
    """`StreamGetOptions` on the functional TCP."""

    record = Connection


class TcpGetInfo(StreamGetInfo, frozen=True):
    """`StreamGetInfo` on the functional TCP."""

    record = Connection


class TcpAccept(AcceptorAccept, frozen=True):
    """`AcceptorAccept` on the functional TCP."""

    record = Listener


class TcpListenClose(AcceptorClose, frozen=True):
    """`AcceptorClose` on the functional TCP."""

    record = Listener


class TcpConnect(SystemCall[Any], frozen=True):
    """See `Connector.connect`."""

    local: Address
    remote: Address
    timeout_us: int
    make: Callable[..., Connection]
    options: SocketOptions = NO_OPTIONS
    data: bytes = b""

    def __post_init__(self) -> None:
        call: Any = self  # Its fields may be anything yet.
        check_address("local", call.local)
        check_opening(call.remote, call.timeout_us, call.options)
        if not (isinstance(call.make, type) and issubclass(call.make, Connection)):
            raise misuse("make", call.make, "a class of streams over the functional TCP")
        if type(call.data) is not bytes:
            msgspec.structs.force_setattr(self, "data", whole_bytes("data", call.data))


def sys_tcp(request: SystemCall[R]) -> SystemCall[R]:
    """Any request to the TCP, by the paper's one name for all: `await sys_tcp(TcpShutdown(connection))`."""
    return request
