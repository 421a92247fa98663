"""The kernel's sockets as a worker's stack."""

import socket
from functools import cache, partial
from socket import AF_UNIX

from gossamer.core.clock import monotonic_us
from gossamer.core.io.sock import SockAcceptor, SockConnector, SockStream
from gossamer.core.io.stream import Acceptor
from gossamer.core.io.unix import UnixAcceptor
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.letters.workerplan import WorkerPlan
from gossamer.shards.opening.given import address_in
from gossamer.shards.opening.refusing import refuse_new
from gossamer.shards.seen.connectionrows import kernel_rows
from gossamer.shards.worker.stack import BuildStack, Stack


def stack_builder(_plan: WorkerPlan) -> BuildStack:
    """What builds the stack; all that it needs is imported."""
    return build_stack


def listen(listening: socket.socket, backlog: int) -> Acceptor:
    """Accept from a socket; listen, where the supervisor has only bound it. Raises: OSError."""
    if not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listening.listen(backlog)
    return UnixAcceptor(listening) if listening.family == AF_UNIX else SockAcceptor(listening)


def build_stack(plan: WorkerPlan, scheduler: Scheduler) -> Stack:
    """Plug the loop in, with the inherited socket to listen on."""
    server = plan.config.server
    loop, listening = SockLoop(), socket.socket(fileno=plan.descriptors.listening)
    scheduler.add_loop(loop)
    loop.moving.serves(address_in(listening)[1], SockStream)
    is_bounded = server.limit_connections_per_address and listening.family != AF_UNIX
    return Stack(
        networks=loop.count_networks() if is_bounded else None,
        acceptor=cache(partial(listen, listening, server.backlog)),
        interrupt_receivers=loop.interrupt_receivers,
        hand_over=lambda: None,  # the successor listens on the same socket, which refuses nobody
        refuse_new=(lambda: None) if server.is_given else partial(refuse_new, listening),
        is_kept=server.fd >= 0,
        connections=lambda: loop.statistics()["connections"],
        has_in_flight=lambda: loop.statistics()["connections"] > 0,
        statistics=loop.statistics,
        connector=SockConnector(),
        rows=lambda: kernel_rows(loop.moving.connections(), monotonic_us),
        sockets=loop.moving,
    )
