"""What threads wait for each other with, built from one system call, `Park`.

    mutex.py        one at a time
    semaphore.py    so many at a time
    condition.py    until another says that something has changed
    event.py        until it has happened
    channel.py      values handed from thread to thread; select among channels
    stm.py          transactions on shared variables: retry, or_else

Whoever has waited longest is served first, everywhere. All of it can be cancelled; what was handed to a
thread is never lost by that.

Source: Li and Zdancewic, PLDI 2007, section 4.7; Harris, Marlow, Peyton Jones and Herlihy, PPoPP 2005.
"""

from gossamer.core.threads.sync.channel import NOTHING, Channel, ChannelClosed, receiving, select, sending
from gossamer.core.threads.sync.condition import Condition
from gossamer.core.threads.sync.event import Event
from gossamer.core.threads.sync.mutex import Mutex
from gossamer.core.threads.sync.semaphore import Semaphore
from gossamer.core.threads.sync.stm import Transaction, TVar, atomically

__all__ = [
    "Mutex",
    "Semaphore",
    "Condition",
    "Event",
    "Channel",
    "ChannelClosed",
    "NOTHING",
    "select",
    "receiving",
    "sending",
    "TVar",
    "Transaction",
    "atomically",
]
