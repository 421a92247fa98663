"""What a worker's stack offers, whichever it is.

Owns the record that `stack_kernel` and `stack_nfqueue` fill: the code above them is the same for both.
"""

from collections.abc import Callable, Mapping

import msgspec

from gossamer.core.io.stream import Acceptor, Connector
from gossamer.core.loop.sock.moving import SockMoving
from gossamer.core.loop.tcp.door import Observer
from gossamer.core.networks import NetworkCounts
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.letters.workerplan import WorkerPlan
from gossamer.shards.moving.mobility import Mobility
from gossamer.shards.seen.connectionrows import Rows

Statistics = Callable[[], Mapping[str, int]]


class Stack(msgspec.Struct, frozen=True):
    """A stack that listens."""

    acceptor: Callable[[], Acceptor]
    """The one that there is; what is new comes here from the first call on, where it did not before."""
    interrupt_receivers: Callable[[], None]
    """Throws Draining into threads blocked in a receive."""
    hand_over: Callable[[], None]
    """What is new belongs to a successor from now on: nothing is refused any more."""
    refuse_new: Callable[[], None]
    """What is new is refused from now on; what is in the queues of the listener can still be accepted."""
    connections: Callable[[], int]
    """How many connections were accepted or opened, and are not closed."""
    has_in_flight: Callable[[], bool]
    """Whether any connection is not closed, or was and still has something that must reach its peer."""
    statistics: Statistics
    connector: Connector | None
    """Opens connections; None on a functional TCP that was given no local ports."""
    rows: Rows
    """A row of each connection, for whoever asks."""
    observe: Callable[[Observer | None], None] | None = None
    """Shows every step of every connection; None on kernel sockets."""
    is_kept: bool = False
    """Whether somebody else has the listening socket too: what waits in its queue when we end is not lost."""
    mobility: Mobility | None = None
    """Gives queues to other workers, and takes them; None where none can move."""
    allow_memory: Callable[[int], None] | None = None
    """Bounds what all buffers hold; None where they are the kernel's."""
    networks: NetworkCounts | None = None
    """How many connections each client has; None where nothing bounds them."""
    sockets: SockMoving | None = None
    """Takes connections out and in with their sockets; None where the kernel has none of them."""


BuildStack = Callable[[WorkerPlan, Scheduler], Stack]
"""What each stack's `stack_builder(plan)` returns: called with that plan and the scheduler, it gives the
stack.
"""
