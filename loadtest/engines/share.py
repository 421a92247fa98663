"""Which part of a run an engine has: its connections, its requests, its share of the rate. Pure.

Owns the division. The parts of all engines are the whole, whatever their number.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.loadtest.options import LoadOptions


def part(whole: int, number: int, engines: int) -> int:
    """The part of a count that engine `number` has."""
    return whole // engines + (number < whole % engines)


def options_of(options: LoadOptions, number: int, engines: int) -> LoadOptions:
    """The run of one engine. Thresholds are judged by the conductor, over all of them."""
    duration_us = options.duration_us
    if duration_us >= NEVER_US and options.rate:
        duration_us = int(options.requests_max * 1e6 / options.rate)
    return msgspec.structs.replace(
        options,
        connections=part(options.connections, number, engines),
        requests_max=part(options.requests_max, number, engines),
        rate=options.rate / engines,
        connect_rate=options.connect_rate / engines,
        duration_us=duration_us,
        thresholds=(),
    )
