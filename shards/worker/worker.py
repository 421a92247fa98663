"""A worker: reads its plan, imports what it needs, gives up its privileges, serves.

    python -P -m gossamer.shards.worker.worker --plan-fd N

Owns the order of these steps. Everything is imported and the application loaded before privileges go: the
dropped user may not be able to walk to the files of this installation.
"""

import gc
import importlib
import logging
import os
import select
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from functools import partial
from typing import Final

from gossamer.core.clock import monotonic_us
from gossamer.core.io.signals import SignalSocket
from gossamer.core.loop.debugging import is_wanted
from gossamer.core.loop.disk.loop import DiskLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.pool import OS_THREADS_MAX, THREADS, PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.tcp.congestion.own import CongestionControlError
from gossamer.core.threads.calls import EpollWait
from gossamer.core.threads.forgotten import forgotten_awaits_are_named
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.watchdog import Watchdog
from gossamer.ffi.allocator import keep_freed_memory
from gossamer.ffi.shared_memory import read_message
from gossamer.shards.confinement.allowance import connections_granted, set_limits
from gossamer.shards.confinement.confinement import steps
from gossamer.shards.confinement.imports import look_here_last
from gossamer.shards.exitcode import CannotStartError, CommandError, ExitCode
from gossamer.shards.letters.handing import LOG
from gossamer.shards.letters.signals import ENDING
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR, WorkerPlan, decode_plan
from gossamer.shards.log.logs import configure_logging
from gossamer.shards.log.outlet import Outlets
from gossamer.shards.log.standard_streams import hold_standard_descriptors
from gossamer.shards.machine.inherited import set_what_was_inherited, unblock_signals
from gossamer.shards.opening.root import require_entry, roots_of
from gossamer.shards.seen.counters import WorkerState, map_row
from gossamer.shards.worker.application import open_application
from gossamer.shards.worker.heart import Heart
from gossamer.shards.worker.running import Running
from gossamer.shards.worker.served import Application, add_loops, give_connector
from gossamer.shards.worker.serving import Limits, Worker
from gossamer.shards.worker.stack import BuildStack

log = logging.getLogger("gossamer.worker")

GC_THRESHOLDS = (50_000, 20, 50)
"""The hot path makes few cycles; the young generation is looked at rarely, the old one hardly ever."""

NO_CPUS: Final[frozenset[int]] = frozenset()


def give_up_privileges(plan: WorkerPlan) -> None:
    """Become the ordinary user of the plan, with what the stack needs and with nothing else.

    Raises: CannotStartError when the kernel refuses what it allowed the supervisor to try.
    """
    try:
        for step in steps(plan.confinement, plan.stack):
            step()
    except OSError as error:
        raise CannotStartError(
            f"server.user: cannot give privileges up: {error.filename}: {error.strerror}"
        ) from error


def keep_from_children(descriptors: Iterable[int]) -> None:
    """Have each closed when a child execs: whoever holds one of them keeps our port or queue for itself."""
    for fd in descriptors:
        os.set_inheritable(fd, False)


def pin_cpu(cpu: int | None) -> frozenset[int]:
    """Have this thread stay on one CPU, if one is named and still to be had; the CPUs that it had before, or
    none where it has them still.

    Threads and children inherit it from the thread that starts them.
    """
    if cpu is None:
        return NO_CPUS
    try:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {cpu})
    except OSError as error:
        log.warning("not pinned to CPU %d: %s", cpu, error.strerror)
        return NO_CPUS
    return frozenset(before)


def have_cpus(cpus: frozenset[int]) -> None:
    """Have this thread, and what it starts, run on all of these; on none means as they are."""
    if not cpus:
        return
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        log.warning("the pool's threads stay on the CPU of their worker: %s", error.strerror)


def pool_threads(threads: int) -> int:
    """How many operating-system threads the pool has at most, where so many are an application's: as many are
    left for all else as by default.
    """
    return OS_THREADS_MAX - THREADS + threads


def build_scheduler(disk_spin_us: int, pool_cpus: frozenset[int], threads: int) -> tuple[Scheduler, DiskLoop]:
    """A scheduler with the loops that every stack needs. Children of `run_process` are started in the pool:
    so they have its CPUs.
    """
    pool = PoolLoop(pool_threads(threads), at_start=partial(have_cpus, pool_cpus))
    disk = DiskLoop(pool, spin_us=disk_spin_us)
    if disk.why_not_better:
        log.warning("files are read by %s: %s", disk.engine, disk.why_not_better)
    return Scheduler(EpollWaiter(), [DescriptorLoop(), FdLoop(), SleepLoop(), pool, disk]), disk


def is_readable(fd: int) -> bool:
    """Whether a descriptor has something to read, its end counted."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


async def begin(
    plan: WorkerPlan, running: Running, worker: Worker, build_stack: BuildStack, application: Application
) -> None:
    """Serve: now, or once the predecessor has let go."""
    if plan.descriptors.go != NO_DESCRIPTOR:
        running.set_state(WorkerState.WAITING)
        await EpollWait(plan.descriptors.go, select.EPOLLIN)
    stack = build_stack(plan, running.scheduler)
    give_connector(application, stack)
    add_loops(application, running.scheduler)
    if application.start is not None:
        await application.start()
    state = WorkerState.WAITING if plan.is_successor else WorkerState.SERVING
    memories = plan.descriptors.checkpoints, plan.descriptors.left_behind
    limits = Limits(connection_limit(plan), plan.config.server.limit_connections_per_address)
    worker.serve(stack, application, limits, state, memories)


def connection_limit(plan: WorkerPlan) -> int:
    """How many connections the worker has open at most: on kernel sockets each takes a descriptor."""
    wanted = plan.config.server.limit_concurrency
    if plan.stack != "kernel":
        return wanted
    granted = connections_granted(wanted)
    if granted < wanted:
        log.info("at most %d connections, not %d: descriptors are kept for files", granted, wanted)
    return granted


def run_worker(plan: WorkerPlan) -> None:
    """Serve until asked to end."""
    with ExitStack() as opened:
        _run(plan, opened)


def _run(plan: WorkerPlan, opened: ExitStack) -> None:
    """The same; what is `opened` is closed by whoever calls this."""
    configure_logging(plan.config.log.level, f"worker {plan.shard.id}", plan.config.log.format)
    keep_freed_memory()
    keep_from_children(plan.descriptors.inherited())
    set_what_was_inherited()
    signals = SignalSocket(ENDING)
    opened.callback(signals.fall_silent)
    unblock_signals()
    build_stack: BuildStack = importlib.import_module(
        f"gossamer.shards.worker.stack_{plan.stack}"
    ).stack_builder(plan)
    root = plan.descriptors.root
    if root == NO_DESCRIPTOR or not all(mount.is_folder for mount in plan.config.mount):
        look_here_last()
    held = plan.descriptors.exchanged()
    outlets = Outlets(held.get(LOG))
    application = open_application(plan, outlets.access_log.put)
    unpinned = pin_cpu(plan.shard.cpu)
    set_limits(plan.config)
    give_up_privileges(plan)
    outlets.take_over_log()
    folders = roots_of(plan.config, with_target=root != NO_DESCRIPTOR)
    for name, folder in folders.items():
        require_entry(held[name], name, folder)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    scheduler, disk = build_scheduler(
        plan.config.server.disk_spin_us, unpinned, plan.config.application.threads
    )
    row = map_row(plan.descriptors.counters)
    os.close(plan.descriptors.counters)
    is_last = partial(is_readable, plan.descriptors.liveness)
    running = Running(scheduler, row, monotonic_us, is_last, (disk.statistics, outlets.statistics))
    worker, essential = Worker(running), running.spawn_essential
    graceful_us = plan.config.server.timeout_graceful_shutdown_us
    scheduler.add_loop(Heart(running.beat))
    essential(worker.watch_signals(signals, graceful_us), "signals")
    essential(worker.watch_supervisor(plan.descriptors.liveness, graceful_us), "supervisor")
    handed = opened.enter_context(socket.socket(fileno=plan.descriptors.handed))
    essential(worker.watch_handed(handed, held, folders), "handed")
    letters = opened.enter_context(socket.socket(fileno=plan.descriptors.letters))
    essential(worker.watch_letters(letters, graceful_us), "letters")
    essential(begin(plan, running, worker, build_stack, application), "begin")
    watchdog = Watchdog(scheduler, report=log.warning)
    with forgotten_awaits_are_named() if is_wanted(None) else nullcontext():
        running.run()
    watchdog.close()
    application.at_heartbeat()
    outlets.close()


def main() -> None:
    """The worker's command."""
    hold_standard_descriptors()
    match sys.argv[1:]:
        case ["--plan-fd", fd] if fd.isdecimal():
            plan = decode_plan(read_message(int(fd)))
        case _:
            raise SystemExit("usage: gossamer.shards.worker.worker --plan-fd N; the supervisor starts it")
    try:
        run_worker(plan)
    except (CommandError, CongestionControlError) as error:
        # The second is a user's own algorithm, whose fault needs no trace of ours.
        sys.stderr.write(f"gossamer: worker {plan.shard.id}: {error}\n")
        code = error.exit_code if isinstance(error, CommandError) else ExitCode.FAILED
        raise SystemExit(code) from error


if __name__ == "__main__":
    main()
