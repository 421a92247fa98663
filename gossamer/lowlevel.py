"""For writers of system calls and event loops: what a scheduler, a loop and a call are made of.

A system call is a value of a class of its own; a loop names the classes that it takes. The scheduler looks
the class up and hands the call to its loop, which answers at once, or says BLOCKED and owes the thread one
answer.

    docs/adding-a-system-call.md       a call of your own
    docs/adding-an-event-source.md     a loop for a device of your own
    docs/writing-an-event-loop.md      a program of your own loops
"""

from gossamer.core.clock import NEVER_US, SECOND_US, Clock, monotonic_us, wall_us
from gossamer.core.errors import misuse
from gossamer.core.loop.disk.loop import DiskLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.call import Descriptor, FdClose, FdRead, FdReadable, FdWritable, FdWrite
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.threads.calls import Fork, Join, Park, Sleep, Yield
from gossamer.core.threads.current import NoSchedulerRuns, current_scheduler
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.eventloop import EventLoop, PassiveLoop, SchedulerPort, Waiter
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.systemcall import (
    BLOCKED,
    Canceller,
    Handler,
    NoLoopTakesCall,
    NotASystemCall,
    SystemCall,
)
from gossamer.core.threads.thread import Raise, Thread
from gossamer.core.threads.waiters import Waiters
from gossamer.core.threads.watchdog import Watchdog

__all__ = [
    # How a server waits for the next request: `Stream.recv_idle`.
    "Idle",
    # A call, and what its loop answers.
    "SystemCall",
    "BLOCKED",
    "Raise",
    "Handler",
    "Canceller",
    "Thread",
    "misuse",
    # The scheduler, and what a loop is to it.
    "Scheduler",
    "EventLoop",
    "PassiveLoop",
    "SchedulerPort",
    "Waiter",
    "current_scheduler",
    "DeadlineHeap",
    "Watchdog",
    "NoLoopTakesCall",
    "NotASystemCall",
    "NoSchedulerRuns",
    # The loops that there are.
    "EpollWaiter",
    "SleepLoop",
    "PoolLoop",
    "DescriptorLoop",
    "FdLoop",
    "SockLoop",
    "TcpLoop",
    "DiskLoop",
    # Calls of the scheduler itself, and of descriptors.
    "Fork",
    "Join",
    "Yield",
    "Park",
    "Waiters",
    "Sleep",
    "Descriptor",
    "FdRead",
    "FdWrite",
    "FdReadable",
    "FdWritable",
    "FdClose",
    # Time.
    "Clock",
    "monotonic_us",
    "wall_us",
    "NEVER_US",
    "SECOND_US",
]
