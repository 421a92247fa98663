"""The table of scenarios: who does what, on which links, and what may then stand on the wire.

A scenario is run with either stack at either end, over IPv4 and IPv6. On a link that loses, a RST may be
lost and is never sent again, so what depends on one is for the clean link alone.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.loadtest.interop import scripts
from gossamer.loadtest.interop.observed import ObservedEnd

Script = Callable[[ObservedEnd], Awaitable[None]]

CLEAN: Final = ("clean",)
ANY_LINK: Final = ("clean", "bad")
CUT: Final = ("cut",)
LINKS: Final = ("clean", "bad", "cut")
RESET, CLOSED_WINDOW, PROBED = "reset", "closed window", "probed"
SHORT_KEEPALIVE: Final = SocketOptions(
    keepalive_idle_us=SECOND_US, keepalive_interval_us=SECOND_US, keepalive_probes=2
)
KEEPALIVE: Final = SocketOptions(keepalive_idle_us=SECOND_US, keepalive_interval_us=SECOND_US)


class InteropScenario(msgspec.Struct, frozen=True):
    """One row."""

    name: str
    client: Script
    server: Script | None
    """None listens nowhere: the opening is refused."""
    links: tuple[str, ...] = ANY_LINK
    wire: tuple[str, ...] = ()
    """What must and may stand on the wire beside data and its acknowledgement."""
    options: SocketOptions = NO_OPTIONS
    """Of the client."""
    is_heavy: bool = False
    """Heavy ones run one after another, when all others are over."""


async def nothing(_end: ObservedEnd) -> None:
    """Not reached."""


def congestion(name: str) -> InteropScenario:
    """An upload under one congestion control."""
    options = SocketOptions(congestion=name)
    return InteropScenario(
        f"upload under {name}", scripts.upload, scripts.swallow, options=options, is_heavy=True
    )


SCENARIOS: Final = (
    InteropScenario("request and answer", scripts.ask, scripts.echo),
    InteropScenario("bulk to the server", scripts.upload, scripts.swallow, is_heavy=True),
    InteropScenario("bulk to the client", scripts.swallow, scripts.upload, is_heavy=True),
    InteropScenario("bulk both ways", scripts.both_ways, scripts.both_ways, is_heavy=True),
    InteropScenario("half-close by the client", scripts.half_close, scripts.answer_after_end),
    InteropScenario("half-close by the server", scripts.answer_after_end, scripts.half_close),
    InteropScenario("send after one's own end", scripts.send_after_own_end, scripts.answer_after_end),
    InteropScenario("the server closes first", scripts.swallow, scripts.close_first),
    InteropScenario("both end at once", scripts.end_together, scripts.end_together),
    InteropScenario("many small writes", scripts.dribble, scripts.swallow),
    InteropScenario("Nagle", scripts.dribble, scripts.swallow, options=SocketOptions(nodelay=False)),
    InteropScenario("a receive times out", scripts.impatient, scripts.echo),
    InteropScenario(
        "zero window at the server", scripts.pour, scripts.drink_late, wire=(CLOSED_WINDOW,), is_heavy=True
    ),
    InteropScenario(
        "zero window at the client", scripts.drink_late, scripts.pour, wire=(CLOSED_WINDOW,), is_heavy=True
    ),
    InteropScenario("keepalive", scripts.idle, scripts.echo, wire=(PROBED,), options=KEEPALIVE),
    InteropScenario("urgent data", scripts.urge, scripts.be_urged),
    InteropScenario(
        "small segments",
        scripts.upload,
        scripts.swallow,
        options=SocketOptions(maxseg_bytes=536),
        is_heavy=True,
    ),
    *(congestion(name) for name in ("newreno", "cubic", "bbr")),
    InteropScenario("refused", nothing, None, CLEAN, (RESET,)),
    InteropScenario("abort by the client", scripts.abort_after_answer, scripts.echo, CLEAN, (RESET,)),
    InteropScenario("abort by the server", scripts.echo, scripts.abort_after_answer, CLEAN, (RESET,)),
    InteropScenario(
        "abort before all was read", scripts.abort_with_unread, scripts.read_late, CLEAN, (RESET,)
    ),
    InteropScenario(
        "close with data unread", scripts.write_and_wait, scripts.close_with_unread, CLEAN, (RESET,)
    ),
    InteropScenario(
        "write to who has closed", scripts.write_to_closed, scripts.close_at_once, CLEAN, (RESET,)
    ),
    InteropScenario(
        "close with linger 0",
        scripts.close_first,
        scripts.read_late,
        CLEAN,
        (RESET,),
        SocketOptions(linger_us=0),
    ),
    InteropScenario(
        "user timeout",
        scripts.into_the_void,
        scripts.outlive,
        CUT,
        (RESET,),
        SocketOptions(user_timeout_us=SECOND_US),
    ),
    InteropScenario(
        "keepalive of a dead peer",
        scripts.listen_to_silence,
        scripts.outlive,
        CUT,
        (RESET, PROBED),
        SHORT_KEEPALIVE,
    ),
)


class ScenarioRun(msgspec.Struct, frozen=True):
    """A scenario over one family, with its place: the server's port is its first port and `number` more."""

    number: int
    scenario: InteropScenario
    family: str

    @property
    def key(self) -> str:
        """How its observations are called."""
        return f"{self.scenario.name} ({self.family})"


FAMILIES: Final = ("v4", "v6")


def runs(link: str) -> tuple[ScenarioRun, ...]:
    """All runs of one link, numbered."""
    chosen = [(s, family) for s in SCENARIOS if link in s.links for family in FAMILIES]
    return tuple(ScenarioRun(number, scenario, family) for number, (scenario, family) in enumerate(chosen))
