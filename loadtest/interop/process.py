"""One end of all runs of a cell, as a process in its namespace.

    python -m gossamer.loadtest.interop.process server --stack nfqueue --link clean
    python -m gossamer.loadtest.interop.process client --stack kernel --link clean --v4 IP --v6 IP --port N

It prints one line of JSON when it is ready (a server: its first port), one with what it has observed when its
scripts are over and its connections closed, and ends with its standard input.
"""

import contextlib
import select
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final

import click
import msgspec

from gossamer.core.clock import SECOND_US, monotonic_us
from gossamer.core.io.sock import SockAcceptor
from gossamer.core.io.stream import Acceptor
from gossamer.core.io.tcpsock import TcpAcceptor
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.scheduler import Scheduler
from gossamer.loadtest.interop.observed import PATIENCE_US, ObservedEnd, error_name
from gossamer.loadtest.interop.scenarios import LINKS, ScenarioRun, Script, runs
from gossamer.loadtest.stacks import ClientStack, Opener, client_stack, nfqueue_stack

KERNEL_FIRST_PORT: Final = 21_000
RUNS_US_MAX: Final = 40 * SECOND_US
"""After so long what has not ended is reported as it stands."""
CLOSING_US_MAX: Final = 5 * SECOND_US
STEP_US: Final = 20_000
UNFINISHED: Final = "unfinished"
LIGHT: Final = ""
"""Stands for all light runs together."""

Observed = dict[str, list[str]]
Play = Callable[[list[str]], Awaitable[None]]


class Serving:
    """Accepts one connection for each run, and plays the server's script on it."""

    def __init__(self, stack: ClientStack, first_port: int, parameters: TcpParameters) -> None:
        self.stack = stack
        self.first_port = first_port
        self.parameters = parameters

    def listen(self, run: ScenarioRun) -> Acceptor:
        """Listen on the run's port, for both families."""
        port = self.first_port + run.number
        if isinstance(self.stack.loop, TcpLoop):
            return TcpAcceptor(self.stack.loop, ("::", port), self.parameters)
        return SockAcceptor(
            socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=16)
        )

    async def play(self, acceptor: Acceptor, script: Script, notes: list[str]) -> None:
        """The server's side of one run."""
        end = ObservedEnd(await acceptor.accept(), notes)
        await script(end)
        await acceptor.close()


async def open_and_play(
    connector: Opener, run: ScenarioRun, address: tuple[str, int], notes: list[str]
) -> None:
    """The client's side of one run."""
    try:
        stream = await connector.connect(address, PATIENCE_US, run.scenario.options)
    except OSError as error:
        notes.append(f"connect: {error_name(error)}")
        return
    await run.scenario.client(ObservedEnd(stream, notes))


class Ending:
    """Watches the scripts: reports what they observed, and stops the scheduler when nobody wants more."""

    def __init__(self, scheduler: Scheduler, connections: Callable[[], int]) -> None:
        self.scheduler = scheduler
        self.connections = connections
        self.observed: Observed = {}
        self.playing: set[str] = set()

    def start(self, plays: dict[str, Play]) -> None:
        """A thread for these runs, one after another."""
        self.playing.update(plays)
        for key in plays:
            self.observed[key] = []
        self.scheduler.spawn(self._played(plays), str(list(plays)))

    async def _played(self, plays: dict[str, Play]) -> None:
        for key, play in plays.items():
            await play(self.observed[key])
            self.playing.discard(key)

    async def is_over(self, keys: set[str]) -> None:
        """Wait until none of these is played any more."""
        await self._until(lambda: self.playing.isdisjoint(keys), RUNS_US_MAX)

    async def watch(self) -> None:
        """Report, once all is over or time is up; stop with the end of standard input."""
        await self._until(lambda: not self.playing, RUNS_US_MAX)
        for key in self.playing:
            self.observed[key].append(UNFINISHED)
        await self._until(lambda: not self.connections(), CLOSING_US_MAX)
        report(self.observed)
        await self._until(lambda: bool(select.select([sys.stdin], [], [], 0)[0]), RUNS_US_MAX)
        self.scheduler.stop()

    @staticmethod
    async def _until(holds: Callable[[], bool], patience_us: int) -> None:
        for _ in range(patience_us // STEP_US):
            if holds():
                return
            await sys_sleep(STEP_US)


def report(value: object) -> None:
    """One line of JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def chosen_stack(name: str, parameters: TcpParameters) -> Iterator[ClientStack]:
    """The stack of that name; the functional one with these parameters. Raises: CannotStartError."""
    opening = client_stack(name, 1) if name == "kernel" else nfqueue_stack(1, parameters)
    with opening as stack:
        yield stack


def serve(
    stack: ClientStack, ending: Ending, wanted: tuple[ScenarioRun, ...], parameters: TcpParameters
) -> None:
    """Listen for all runs, and report the first port."""
    first_port = stack.ports[0] if stack.ports else KERNEL_FIRST_PORT
    serving = Serving(stack, first_port, parameters)
    for run in wanted:
        if run.scenario.server is not None:
            ending.start({run.key: partial(serving.play, serving.listen(run), run.scenario.server)})
    report(first_port)


def connect(
    stack: ClientStack,
    ending: Ending,
    wanted: tuple[ScenarioRun, ...],
    hosts: dict[str, str],
    first_port: int,
) -> None:
    """Open all runs: the light ones at once, then the heavy ones in turn."""

    def play(run: ScenarioRun) -> Play:
        return partial(open_and_play, stack.connector, run, (hosts[run.family], first_port + run.number))

    light = {run.key: play(run) for run in wanted if not run.scenario.is_heavy}
    for key, one in light.items():
        ending.start({key: one})

    async def first_the_light(_notes: list[str]) -> None:
        await ending.is_over(set(light))

    heavy = {run.key: play(run) for run in wanted if run.scenario.is_heavy}
    ending.start({LIGHT: first_the_light, **heavy})
    report(first_port)


@click.command()
@click.argument("role", type=click.Choice(["server", "client"]))
@click.option("--stack", type=click.Choice(["kernel", "nfqueue"]), required=True)
@click.option("--link", type=click.Choice(LINKS), required=True)
@click.option("--parameters", default="{}", help="TcpParameters as JSON, for the functional stack.")
@click.option("--only", default="", help="Only the runs whose name contains this.")
@click.option("--v4", default="", help="Server's IPv4 address (client).")
@click.option("--v6", default="", help="Server's IPv6 address (client).")
@click.option("--port", default=0, help="Server's first port (client).")
def main(role: str, stack: str, link: str, parameters: str, only: str, v4: str, v6: str, port: int) -> None:
    """Play one end of all runs of a link."""
    tcp = msgspec.json.decode(parameters, type=TcpParameters)
    wanted = tuple(run for run in runs(link) if only in run.key)
    with chosen_stack(stack, tcp) as chosen:
        scheduler = Scheduler(EpollWaiter(), [SleepLoop(), chosen.loop], monotonic_us)
        loop = chosen.loop
        ending = Ending(scheduler, lambda: loop.connections if isinstance(loop, TcpLoop) else 0)
        if role == "server":
            serve(chosen, ending, wanted, tcp)
        else:
            connect(chosen, ending, wanted, {"v4": v4, "v6": v6}, port)
        scheduler.spawn(ending.watch())
        scheduler.run()
        scheduler.close()


if __name__ == "__main__":
    main()
