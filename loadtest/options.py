"""What is asked of a run of load, all of it checked: how much, for how long, of whom, and over what.

Owns the record and its defaults. How a run goes on is `loadtest.run`; what a command line says of it is the
command's.
"""

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.encrypted import TlsAsked
from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.phases import Course, RatePhase
from gossamer.loadtest.request_set import RequestSet, RequestTemplate
from gossamer.loadtest.target import Target
from gossamer.loadtest.thresholds import Threshold


class LoadOptions(msgspec.Struct, frozen=True):
    """What is asked of a run, all checked."""

    target: Target
    connections: int
    duration_us: int
    """NEVER_US: until `requests_max`."""
    requests_max: int
    rate: float = 0.0
    keep_alive: bool = True
    pipeline: int = 1
    timeout_us: int = 30 * SECOND_US
    warm_up_us: int = 0
    drain_us: int = 2 * SECOND_US
    connect_rate: float = 5_000.0
    process: str = "even"
    """How requests of an open loop come: even or poisson."""
    seed: int = 0
    phases: tuple[RatePhase, ...] = ()
    """Of a rate that changes; `rate` is their mean then."""
    requests: RequestSet | None = None
    """None: a GET of the target."""
    think: tuple[int, int] = (0, 0)
    """In a closed loop, a connection rests so long after each answer, from the least to the most."""
    pace_us: int = 0
    """In a closed loop, a connection begins a request no sooner than so long after the one before."""
    thresholds: tuple[Threshold, ...] = ()
    """The run ends when one of them cannot be met any more."""
    faults: LinkFaults | None = None
    """What its packets meet, each way."""
    faults_seed: int = 0
    tls: TlsAsked | None = None
    """None: connections are plain."""


def requests_of(options: LoadOptions) -> RequestSet:
    """What is asked."""
    if options.requests is not None:
        return options.requests
    target = options.target
    return RequestSet((RequestTemplate("GET", target.path, target.authority),), keep_alive=options.keep_alive)


def course_of(options: LoadOptions) -> Course | None:
    """How the rate changes, where it does."""
    return Course(options.phases) if options.phases else None
