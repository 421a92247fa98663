"""Has the connections of a worker on kernel sockets go to others: the letters that say so.

They are those of queues, without any: where no queue is what a connection comes by, its socket goes itself.
"""

import socket
from collections.abc import Sequence

from gossamer.shards.letters.letters import GiveLetter, TakeLetter
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.supervisor.launch import WorkerProcess


def give_connections(giver: WorkerProcess, takers: Sequence[WorkerProcess]) -> bool:
    """Have all connections of one go to these, in turn, and have it end then; whether all were told.

    Whoever was told alone finds its link at its end, and goes on.
    """
    serving = [taker for taker in takers if taker.state is WorkerState.SERVING]
    if giver.state is not WorkerState.SERVING:
        return False
    return bool(serving) and all(_link(giver, taker, is_last=taker is serving[-1]) for taker in serving)


def _link(giver: WorkerProcess, taker: WorkerProcess, *, is_last: bool) -> bool:
    here, there = socket.socketpair()
    with here, there:
        if not taker.send_letter(TakeLetter((), has_link=True), [there.fileno()]):
            return False
        return giver.send_letter(GiveLetter((), is_last), [here.fileno()])
