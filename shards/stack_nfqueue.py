"""The functional TCP as a worker's stack: packets in from NFQUEUE, packets out through raw sockets."""

from gossamer.core.clock import monotonic_us
from gossamer.core.entropy import system_entropy
from gossamer.core.io.tcpsock import TcpAcceptor
from gossamer.core.loop.tcp import TcpLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.ffi.nfqueue_netlink import NetlinkSource
from gossamer.ffi.packets import PacketSource
from gossamer.ffi.rawout import RawSink
from gossamer.shards.stack import Stack
from gossamer.shards.workerplan import NO_DESCRIPTOR, WorkerPlan


def open_source(plan: WorkerPlan) -> PacketSource:
    """The receiver: on the inherited queue, or on one of its own."""
    if plan.descriptors.queue != NO_DESCRIPTOR:
        return NetlinkSource(plan.descriptors.queue)
    # The package is an optional dependency, needed by this backend alone.
    from gossamer.ffi.nfqueue_package import NetfilterQueueSource

    assert plan.shard.queue is not None
    return NetfilterQueueSource(plan.shard.queue, plan.config.nfqueue.queue_length_max)


def build_stack(plan: WorkerPlan, scheduler: Scheduler) -> Stack:
    """Plug the loop in, and listen."""
    sink = RawSink(plan.descriptors.raw_ipv4, plan.descriptors.raw_ipv6)
    loop = TcpLoop(open_source(plan), sink, plan.config.tcp, monotonic_us, system_entropy)
    scheduler.add_loop(loop)
    return Stack(
        acceptor=TcpAcceptor(loop, (plan.host, plan.port), plan.config.tcp),
        interrupt_receivers=loop.interrupt_receivers,
        connections=lambda: loop.statistics()["connections"],
        statistics=loop.statistics,
    )
