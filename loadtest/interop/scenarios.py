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
from gossamer.loadtest.interop.observed import End

Script = Callable[[End], Awaitable[None]]

CLEAN: Final = ("clean",)
ANY_LINK: Final = ("clean", "bad")
CUT: Final = ("cut",)
LINKS: Final = ("clean", "bad", "cut")
RESET, CLOSED_WINDOW, PROBED = "reset", "closed window", "probed"
SHORT_KEEPALIVE: Final = SocketOptions(
    keepalive_idle_us=SECOND_US, keepalive_interval_us=SECOND_US, keepalive_probes=2
)
KEEPALIVE: Final = SocketOptions(keepalive_idle_us=SECOND_US, keepalive_interval_us=SECOND_US)


class Scenario(msgspec.Struct, frozen=True):
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


async def nothing(_end: End) -> None:
    """Not reached."""


def congestion(name: str) -> Scenario:
    """An upload under one congestion control."""
    options = SocketOptions(congestion=name)
    return Scenario(f"upload under {name}", scripts.upload, scripts.swallow, options=options, is_heavy=True)


SCENARIOS: Final = (
    Scenario("request and answer", scripts.ask, scripts.echo),
    Scenario("bulk to the server", scripts.upload, scripts.swallow, is_heavy=True),
    Scenario("bulk to the client", scripts.swallow, scripts.upload, is_heavy=True),
    Scenario("bulk both ways", scripts.both_ways, scripts.both_ways, is_heavy=True),
    Scenario("half-close by the client", scripts.half_close, scripts.answer_after_end),
    Scenario("half-close by the server", scripts.answer_after_end, scripts.half_close),
    Scenario("send after one's own end", scripts.send_after_own_end, scripts.answer_after_end),
    Scenario("the server closes first", scripts.swallow, scripts.close_first),
    Scenario("both end at once", scripts.end_together, scripts.end_together),
    Scenario("many small writes", scripts.dribble, scripts.swallow),
    Scenario("Nagle", scripts.dribble, scripts.swallow, options=SocketOptions(nodelay=False)),
    Scenario("a receive times out", scripts.impatient, scripts.echo),
    Scenario(
        "zero window at the server", scripts.pour, scripts.drink_late, wire=(CLOSED_WINDOW,), is_heavy=True
    ),
    Scenario(
        "zero window at the client", scripts.drink_late, scripts.pour, wire=(CLOSED_WINDOW,), is_heavy=True
    ),
    Scenario("keepalive", scripts.idle, scripts.echo, wire=(PROBED,), options=KEEPALIVE),
    Scenario("urgent data", scripts.urge, scripts.be_urged),
    Scenario(
        "small segments",
        scripts.upload,
        scripts.swallow,
        options=SocketOptions(maxseg_bytes=536),
        is_heavy=True,
    ),
    *(congestion(name) for name in ("newreno", "cubic", "bbr")),
    Scenario("refused", nothing, None, CLEAN, (RESET,)),
    Scenario("abort by the client", scripts.abort_after_answer, scripts.echo, CLEAN, (RESET,)),
    Scenario("abort by the server", scripts.echo, scripts.abort_after_answer, CLEAN, (RESET,)),
    Scenario("abort before all was read", scripts.abort_with_unread, scripts.read_late, CLEAN, (RESET,)),
    Scenario("close with data unread", scripts.write_and_wait, scripts.close_with_unread, CLEAN, (RESET,)),
    Scenario("write to who has closed", scripts.write_to_closed, scripts.close_at_once, CLEAN, (RESET,)),
    Scenario(
        "close with linger 0",
        scripts.close_first,
        scripts.read_late,
        CLEAN,
        (RESET,),
        SocketOptions(linger_us=0),
    ),
    Scenario(
        "user timeout",
        scripts.into_the_void,
        scripts.outlive,
        CUT,
        (RESET,),
        SocketOptions(user_timeout_us=SECOND_US),
    ),
    Scenario(
        "keepalive of a dead peer",
        scripts.listen_to_silence,
        scripts.outlive,
        CUT,
        (RESET, PROBED),
        SHORT_KEEPALIVE,
    ),
)


class Run(msgspec.Struct, frozen=True):
    """A scenario over one family, with its place: the server's port is its first port and `number` more."""

    number: int
    scenario: Scenario
    family: str

    @property
    def key(self) -> str:
        """How its observations are called."""
        return f"{self.scenario.name} ({self.family})"


FAMILIES: Final = ("v4", "v6")


def runs(link: str) -> tuple[Run, ...]:
    """All runs of one link, numbered."""
    chosen = [(s, family) for s in SCENARIOS if link in s.links for family in FAMILIES]
    return tuple(Run(number, scenario, family) for number, (scenario, family) in enumerate(chosen))
