"""The functional TCP as a worker's stack: packets in from NFQUEUE, packets out through raw sockets."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.core.entropy import system_entropy
from gossamer.core.io.tcpsock import TcpAcceptor, TcpConnector
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.scheduler import Scheduler
from gossamer.ffi.frames import Frames
from gossamer.ffi.links import LocalLinks
from gossamer.ffi.nfqueue_netlink import SLOT_BYTES, SLOTS, NetlinkSource
from gossamer.ffi.packets import PacketSource, ReceiveMemory
from gossamer.ffi.rawout import RawSink
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR, WorkerPlan
from gossamer.shards.moving.mobility import Mobility
from gossamer.shards.opening.frames import may_send_frames
from gossamer.shards.seen.connectionrows import functional_rows
from gossamer.shards.worker.stack import BuildStack, Stack

log = logging.getLogger("gossamer.worker")

PACKAGE_MSS_MAX: Final = 3960
"""The NetfilterQueue package copies 4,016 bytes of a packet; the rest is room for headers."""

SECRET_BYTES: Final = 16
"""Of the secret that orders local ports (RFC 6056)."""


def receiver_of(plan: WorkerPlan) -> Callable[[], PacketSource] | None:
    """What opens the receiver that has a queue of its own; None where queues come as descriptors.

    Whatever it takes is imported here, while that is still allowed: the user that the worker becomes may not
    be able to read this folder.
    """
    if plan.config.nfqueue.backend == "netlink":
        return None
    # The package is an optional dependency, needed by this backend alone.
    from gossamer.ffi.nfqueue_package import NetfilterQueueSource

    (number,) = plan.queues
    return partial(
        NetfilterQueueSource,
        number,
        plan.config.nfqueue.queue_length_max,
        accepted_port=plan.port,
    )


def parameters_of(plan: WorkerPlan) -> TcpParameters:
    """The TCP's parameters; with an MSS that the NetfilterQueue package can copy, where it receives."""
    parameters = plan.config.tcp
    if plan.config.nfqueue.backend == "netlink":
        return parameters
    return msgspec.structs.replace(
        parameters,
        mss=min(parameters.mss, PACKAGE_MSS_MAX),
        loopback_mss=min(parameters.loopback_mss, PACKAGE_MSS_MAX),
    )


def stack_builder(plan: WorkerPlan) -> BuildStack:
    """What builds the stack of this plan, with all it needs imported."""
    return partial(build_stack, receiver_of(plan))


def frames_of(plan: WorkerPlan) -> Frames | None:
    """What leaves as frames; None where nothing may."""
    is_chosen = plan.config.nfqueue.output == "auto"
    if plan.descriptors.frames == NO_DESCRIPTOR:
        return None
    try:
        return Frames(plan.descriptors.frames, may_send_frames if is_chosen else None)
    except OSError as error:
        if not is_chosen:
            raise
        log.warning(
            "everything leaves as packets, for routing or rules cannot be watched: %s", error.strerror
        )
        return None


def local_links() -> LocalLinks | None:
    """What the links of this host carry; None where the kernel does not say."""
    try:
        return LocalLinks()
    except OSError as error:
        log.warning("every link is taken to carry tcp.mss, for they cannot be asked: %s", error.strerror)
        return None


def hand_over(loop: TcpLoop, acceptor: TcpAcceptor) -> None:
    """Leave unanswered what is new: its SYN is sent again, and then a successor reads the queue."""
    loop.hand_over()
    acceptor.refuse_new()


def mobility_of(plan: WorkerPlan, loop: TcpLoop) -> Mobility:
    """The queues that the worker begins with, read; they can go, and others come."""
    # One batch is done with before the next is taken, from whichever queue.
    memory = ReceiveMemory(SLOTS, SLOT_BYTES)
    open_source = partial(NetlinkSource, accepted_port=plan.port, memory=memory)
    mobility = Mobility(loop, open_source, plan.steering)
    for number, fds in zip(plan.queues, plan.descriptors.queues, strict=True):
        mobility.add(number, *fds)
    return mobility


def has_in_flight(loop: TcpLoop, mobility: Mobility | None) -> bool:
    """Whether anybody is still to be answered: by us, or by a predecessor whose packets come to us."""
    return loop.has_in_flight() or (mobility is not None and bool(mobility.predecessors))


def build_stack(
    open_receiver: Callable[[], PacketSource] | None, plan: WorkerPlan, scheduler: Scheduler
) -> Stack:
    """Plug the loop in, and listen."""
    parameters, ports = parameters_of(plan), plan.shard.active_ports
    held = plan.descriptors
    sink = RawSink(held.raw_ipv4, held.raw_ipv6, parameters.ttl, frames_of(plan))
    loop = TcpLoop(
        open_receiver() if open_receiver is not None else None,
        sink,
        parameters,
        monotonic_us,
        system_entropy,
        plan.fast_open_secret,
        plan.boot_secret,
        local_links(),
    )
    networks = loop.count_networks() if plan.config.server.limit_connections_per_address else None
    scheduler.add_loop(loop)
    acceptor = TcpAcceptor(loop, (plan.host, plan.port), parameters)
    mobility = mobility_of(plan, loop) if open_receiver is None else None
    return Stack(
        acceptor=lambda: acceptor,  # What is new comes with the queues.
        interrupt_receivers=loop.interrupt_receivers,
        hand_over=partial(hand_over, loop, acceptor),
        refuse_new=acceptor.refuse_new,
        connections=lambda: loop.connections_in_use,
        has_in_flight=partial(has_in_flight, loop, mobility),
        statistics=loop.statistics,
        connector=TcpConnector(loop, ports.as_range(), system_entropy(SECRET_BYTES)) if ports else None,
        rows=lambda: functional_rows(loop.seen()),
        observe=loop.observe,
        mobility=mobility,
        networks=networks,
        allow_memory=loop.allow_memory,
    )
