"""The kernel's sockets as a worker's stack."""

import socket
from functools import partial

from gossamer.core.io.sock import SockAcceptor, SockConnector, SockStream
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.refusing import refuse_new
from gossamer.shards.stack import BuildStack, Stack
from gossamer.shards.workerplan import WorkerPlan


def stack_builder(_plan: WorkerPlan) -> BuildStack:
    """What builds the stack; all that it needs is imported."""
    return build_stack


def build_stack(plan: WorkerPlan, scheduler: Scheduler) -> Stack:
    """Plug the loop in, and listen on the inherited socket."""
    loop, listening = SockLoop(), socket.socket(fileno=plan.descriptors.listening)
    scheduler.add_loop(loop)
    loop.moving.serves(listening.getsockname()[1], SockStream)
    return Stack(
        acceptor=SockAcceptor(listening),
        interrupt_receivers=loop.interrupt_receivers,
        hand_over=lambda: None,  # the successor listens on the same socket, which refuses nobody
        refuse_new=partial(refuse_new, listening),
        connections=lambda: loop.statistics()["connections"],
        has_in_flight=lambda: loop.statistics()["connections"] > 0,
        statistics=loop.statistics,
        connector=SockConnector(),
        sockets=loop.moving,
    )
