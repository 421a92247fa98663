"""For tests: time that the test moves, simulated hosts on a seeded wire, connections in every state.

>>> from gossamer import sleep
>>> from gossamer.lowlevel import SECOND_US, Scheduler, SleepLoop
>>> from gossamer.testing import VirtualClock, VirtualWaiter
>>> clock = VirtualClock()
>>> scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)
>>> async def sleep_a_day():
...     await sleep(86_400)
>>> before = clock()
>>> thread = scheduler.spawn(sleep_a_day())
>>> scheduler.run()
>>> (clock() - before) // SECOND_US
86400
"""

from gossamer.core.clock import VirtualClock
from gossamer.core.loop.virtual import DeadlockError, VirtualWaiter
from gossamer.core.sim import states
from gossamer.core.sim.end import End, User
from gossamer.core.sim.link import Faults, Line, Link
from gossamer.core.sim.network import Host, Network
from gossamer.core.sim.pair import Pair

__all__ = [
    # Time.
    "VirtualClock",
    "VirtualWaiter",
    "DeadlockError",
    # Whole hosts with their loops, on a wire that loses, delays and reorders by a seed.
    "Network",
    "Host",
    "Faults",
    "Line",
    "Link",
    # Two ends of one connection, each step seen by an observer.
    "Pair",
    "End",
    "User",
    # A connection in each state, and the segments that bring it there.
    "states",
]
