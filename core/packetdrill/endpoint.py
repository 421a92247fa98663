"""One end of a flow, and a listening socket, as the host under test keeps them.

Owns the records that steps change and users read. It steps nothing.
"""

from collections import deque

import msgspec

from gossamer.core.packetdrill.habits import AckHabit
from gossamer.core.seq import Seq
from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.fast_open import is_early
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.wire.segment import Segment

Ports = tuple[int, int]
"""Local and remote."""


class Emission(msgspec.Struct, frozen=True, gc=False):
    """A segment that was sent, and when."""

    at_us: int
    segment: Segment


class Endpoint:
    """One end of a flow: a connection, what was not reported to its user yet, and what it sent."""

    def __init__(self, ports: Ports, habit: AckHabit, queue: "Queue | None") -> None:
        self.ports = ports
        self.habit = habit
        self.connection: Tcb | TimeWait | None = None
        self.queue = queue
        """The accept queue it will go to, or stands in."""
        self.is_established = False
        self.failure: Failure | None = None
        self.failed_in: State | None = None
        self.has_ended = False
        """Whether the peer's FIN was reached."""
        self.remains = b""
        self.sent: deque[Emission] = deque()
        self.retransmitted_total = 0
        self.taken_bytes: int | None = None
        """How much of the last SEND found room, None: all."""
        self.delivered = b""
        self.nagles = False
        """Whether its user left the Nagle algorithm on."""
        self.small_end: Seq | None = None
        """Where the last segment of new text ended that was not full-sized."""
        self.text_end: Seq | None = None
        """Where the text ended that was sent."""
        self.has_writer = False
        """Whether a call has written what waits for the handshake to be over."""
        self.had_syn_data = False
        """Whether data went with the SYN and was taken."""

    @property
    def tcb(self) -> Tcb | None:
        """The connection while it is more than a memory."""
        return self.connection if isinstance(self.connection, Tcb) else None

    @property
    def state_name(self) -> str:
        """The state as RFC 9293 names it."""
        if self.connection is None:
            return "CLOSED"
        if not isinstance(self.connection, Tcb):
            return "TIME-WAIT"
        return self.connection.state.name.replace("_", "-")

    @property
    def has_nagle(self) -> bool:
        """Whether the connection has the Nagle algorithm on."""
        return isinstance(self.connection, Tcb) and not self.connection.agreed.parameters.nodelay

    @property
    def is_early(self) -> bool:
        """Whether it is open to its user before the handshake is over."""
        return isinstance(self.connection, Tcb) and is_early(self.connection)

    @property
    def readable_bytes(self) -> int:
        """What a RECEIVE would give."""
        return self.connection.rcv_buf_bytes if isinstance(self.connection, Tcb) else len(self.remains)


class Queue:
    """A listening socket: those who wait to be accepted."""

    def __init__(self, port: int, parameters: TcpParameters, backlog: int) -> None:
        self.port = port
        self.parameters = parameters
        self.backlog = backlog
        self.mss_limit = 0
        self.early_max: int | None = None
        """How many may be handed out before their handshake is over (TCP_FASTOPEN); None: none asked."""
        self.fast_open_key: bytes | None = None
        """TCP_FASTOPEN_KEY, None: the system's."""
        self.half_open: list[Endpoint] = []
        self.ready: deque[Endpoint] = deque()
