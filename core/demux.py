"""Demultiplexing: which connection, TIME-WAIT record or listener a segment belongs to.

The one mutable map of the TCP. Owns the bounds on how many there may be of each; knows nothing of threads,
packets or time beyond the deadline that a TIME-WAIT record carries.

Source: RFC 9293 3.10.7, 3.1 (a connection is named by its pair of sockets).
"""

import errno
from collections import OrderedDict
from typing import Generic, TypeVar

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import BoundExceeded
from gossamer.core.networks import NetworkCounts
from gossamer.core.tcp.tcb import TimeWait
from gossamer.core.wire.flow import Address, Flow, pack_address

Connection = TypeVar("Connection")
Listener = TypeVar("Listener")
Parked = TypeVar("Parked")

ANY_ADDRESS = b"\x00" * 16
"""Stands for the local address of a listener on all addresses, of either family."""


def listening_key(address: Address) -> bytes:
    """What a listener is found by: its local address and port. Raises: ValueError for anything but an IP
    address."""
    host, port = address
    packed = ANY_ADDRESS if host in ("0.0.0.0", "::") else pack_address(host)
    return packed + port.to_bytes(2, "big")


class Demux(Generic[Connection, Listener, Parked]):
    """flow -> connection, flow -> half-open connection, flow -> what is kept of a parked connection, flow ->
    TIME-WAIT, local socket -> listener.

    A half-open connection is one that a listener has not handed out and whose handshake is not over. They
    have a map of their own, so that a segment for one is looked at before it is stepped, and one for any
    other connection costs nothing for that.

    Bounds: `connections_max`, half-open and parked ones counted, and `time_wait_max`; beyond the first a
    connection is refused, beyond the second the oldest record goes.
    """

    def __init__(self, connections_max: int, time_wait_max: int) -> None:
        self.connections_max = connections_max
        self.time_wait_max = time_wait_max
        self.connections: dict[Flow, Connection] = {}
        self.half_open: dict[Flow, Connection] = {}
        self.parked: dict[Flow, Parked] = {}
        # Not a dict: finding its first entry walks over all that were deleted before it.
        self.time_wait: OrderedDict[Flow, TimeWait] = OrderedDict()
        self.listeners: dict[bytes, Listener] = {}
        self.networks: NetworkCounts | None = None
        """Counts the established and the parked by client, where somebody wants to know."""

    @property
    def is_full(self) -> bool:
        """Whether no further connection may be added."""
        return self.connections_total >= self.connections_max

    @property
    def connections_total(self) -> int:
        """How many connections there are, half-open and parked ones counted."""
        return len(self.connections) + len(self.half_open) + len(self.parked)

    def find(self, flow: Flow) -> Connection | None:
        """The connection of a flow, half-open or not; not a parked one."""
        return self.connections.get(flow) or self.half_open.get(flow)

    def has(self, flow: Flow) -> bool:
        """Whether a flow has a connection, of whatever kind."""
        return self.find(flow) is not None or flow in self.parked

    def park(self, flow: Flow, parked: Parked) -> None:
        """Something smaller stands for a connection."""
        del self.connections[flow]
        self.parked[flow] = parked

    def unpark(self, flow: Flow, connection: Connection) -> None:
        """A connection stands for itself again."""
        del self.parked[flow]
        self.connections[flow] = connection

    def add_half_open(self, flow: Flow, connection: Connection) -> None:
        """Add what is not established yet. The caller has asked `is_full`."""
        assert flow not in self.half_open
        self.half_open[flow] = connection

    def establish(self, flow: Flow) -> None:
        """What was half-open is so no longer."""
        self.put(flow, self.half_open.pop(flow))

    def put(self, flow: Flow, connection: Connection) -> None:
        """Add one that is established. The caller has asked `is_full`."""
        self.connections[flow] = connection
        if self.networks is not None:
            self.networks.came(flow[:16])

    def put_parked(self, flow: Flow, parked: Parked) -> None:
        """Add one that is parked, and was elsewhere. The caller has asked `is_full`."""
        self.parked[flow] = parked
        if self.networks is not None:
            self.networks.came(flow[:16])

    def remove_parked(self, flow: Flow) -> None:
        """A parked connection is elsewhere."""
        del self.parked[flow]
        if self.networks is not None:
            self.networks.left(flow[:16])

    def remove(self, flow: Flow) -> None:
        """A connection is over."""
        if self.connections.pop(flow, None) is None:
            self.half_open.pop(flow, None)
        elif self.networks is not None:
            self.networks.left(flow[:16])

    def check_room(self) -> None:
        """Raises: BoundExceeded where no further connection may be added."""
        if self.is_full:
            raise BoundExceeded(
                f"{self.connections_max} connections are open: tcp.connections_max allows no more"
            )

    def add(self, flow: Flow, connection: Connection) -> None:
        """Raises: BoundExceeded."""
        self.check_room()
        assert not self.has(flow)
        self.put(flow, connection)

    def listen(self, address: Address, listener: Listener) -> None:
        """Raises: OSError when the socket is listened on already."""
        key = listening_key(address)
        if key in self.listeners:
            raise OSError(errno.EADDRINUSE, f"{address[0]} port {address[1]} is already listened on")
        self.listeners[key] = listener

    def unlisten(self, address: Address) -> None:
        """Forget a listener."""
        self.listeners.pop(listening_key(address), None)

    def find_listener(self, flow: Flow) -> Listener | None:
        """The listener of exactly our side of the flow, else one on any address of the port."""
        port = flow[34:36]
        return self.listeners.get(flow[16:32] + port) or self.listeners.get(ANY_ADDRESS + port)

    def keep_time_wait(self, flow: Flow, record: TimeWait) -> None:
        """Remember a connection in TIME-WAIT, as the latest to expire."""
        self.time_wait.pop(flow, None)
        if len(self.time_wait) >= self.time_wait_max:
            self.time_wait.popitem(last=False)
        self.time_wait[flow] = record

    def change_time_wait(self, flow: Flow, record: TimeWait) -> None:
        """A record is another, and expires when it would have."""
        self.time_wait[flow] = record

    def end_time_wait(self, flow: Flow) -> TimeWait | None:
        """A new connection takes the flow: what it left in TIME-WAIT, which goes."""
        return self.time_wait.pop(flow, None)

    def time_wait_deadline_us(self) -> int:
        """When the oldest TIME-WAIT record expires. All wait equally long, so the order of insertion is that
        of expiry."""
        if not self.time_wait:
            return NEVER_US
        return self.time_wait[next(iter(self.time_wait))].expires_at_us

    def expire_time_wait(self, now_us: int, limit: int) -> None:
        """Forget at most `limit` records whose time has come."""
        for _ in range(limit):
            if self.time_wait_deadline_us() > now_us:
                return
            self.time_wait.popitem(last=False)
