"""One run: a scheduler of its own, from the first connection to the last answer.

Owns how a run is started and ended, by signals too.
"""

import gc
import signal
from typing import Final

from rich.console import Console

from gossamer.core.clock import monotonic_us
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.thread import Raise
from gossamer.core.tls.errors import TlsError
from gossamer.loadtest.client import conduct
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.pace import AWAKE_US
from gossamer.loadtest.report import ProgressDisplay
from gossamer.loadtest.result import RunResult, result_of
from gossamer.loadtest.room import allow_descriptors
from gossamer.loadtest.run import LoadRun
from gossamer.loadtest.seat import Seat
from gossamer.loadtest.stacks import ClientStack
from gossamer.shards.exitcode import CommandError

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a run early; it reports all the same."""


def perform(
    options: LoadOptions, stack: ClientStack, display: ProgressDisplay, seat: Seat | None = None
) -> RunResult:
    """Run to the end, or to the first signal. Raises: CommandError."""
    if stack.name == "kernel":
        allow_descriptors(options.connections)
    waiter = EpollWaiter()
    scheduler = Scheduler(waiter, [SleepLoop(), stack.loop], monotonic_us)
    run = LoadRun(options, stack.connector, monotonic_us, seat, awake_us=AWAKE_US)

    async def whole() -> None:
        try:
            await conduct(run, display)
        finally:
            scheduler.stop()  # by a fault of ours too: nobody else would end the run

    def stop(*_: object) -> None:
        run.is_interrupted = run.is_stopped = True
        scheduler.stop()

    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup(1)
    before = {number: signal.signal(number, stop) for number in heeded}
    conductor = scheduler.spawn(whole(), "conductor")
    gc.freeze()  # what was imported lives to the end: no collection need look at it while requests are due
    try:
        scheduler.run()
    finally:
        display.close()
        scheduler.close()
        waiter.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    run.end()
    if run.last_interval is not None:
        display.tell(run.last_interval)
    if isinstance(conductor.inbox, Raise):
        raise conductor.inbox.error
    if run.refusal is not None:
        tell_refusal(run, run.refusal, display.console)
    return result_of(run, stack.faults)


def tell_refusal(run: LoadRun, refusal: OSError, console: Console) -> None:
    """Warn of an address without a server. Raises: CommandError where no address has one."""
    host, port = run.refused_at[:2]
    where = f"{host} port {port}" if port else host
    why = refusal.strerror or str(refusal) or type(refusal).__name__
    if not run.addresses and isinstance(refusal, TlsError):
        way_out = "; name its authority with --cacert, or take any with --insecure" if "verify" in why else ""
        raise CommandError(f"no TLS with {where}: {why}{way_out}")
    if not run.addresses:
        raise CommandError(f"no connection to {where}: {why}; is the server running?")
    refused = [each[0] for each in run.options.target.addresses if each not in run.addresses]
    console.print(f"[yellow]warning[/yellow] no connection to {', '.join(refused)}: {why}")
