"""The kernel's sockets as a worker's stack."""

import socket

from gossamer.core.io.sock import SockAcceptor, SockConnector
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.stack import BuildStack, Stack
from gossamer.shards.workerplan import WorkerPlan


def stack_builder(_plan: WorkerPlan) -> BuildStack:
    """What builds the stack; all that it needs is imported."""
    return build_stack


def build_stack(plan: WorkerPlan, scheduler: Scheduler) -> Stack:
    """Plug the loop in, and listen on the inherited socket."""
    loop = SockLoop()
    scheduler.add_loop(loop)
    return Stack(
        acceptor=SockAcceptor(socket.socket(fileno=plan.descriptors.listening)),
        interrupt_receivers=loop.interrupt_receivers,
        hand_over=lambda: None,  # the successor listens on the same socket, which refuses nobody
        connections=lambda: loop.statistics()["connections"],
        statistics=loop.statistics,
        connector=SockConnector(),
    )
