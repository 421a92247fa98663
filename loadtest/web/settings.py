"""What is asked of a run of the comparison: one record, all checked; how long a run is, in two sizes.

Owns the numbers that a run has by default.
"""

from typing import Final

import msgspec


class WebSettings(msgspec.Struct, frozen=True):
    """What was asked of a run, all checked."""

    rows: tuple[str, ...]
    links: tuple[str, ...]
    """Empty: as planned."""
    contenders: tuple[str, ...]
    rounds: int
    seconds: int
    """Of a sample; a transfer may end sooner."""
    bulk_bytes: int
    time_limit_s: float
    congestion: str
    """Of both kernels, and of the functional TCP."""


class RunSize(msgspec.Struct, frozen=True):
    """How long a run is by default."""

    rounds: int
    seconds: int
    bulk_bytes: int
    time_limit: str


FULL: Final = RunSize(6, 1, 500_000_000, "17m")
QUICK: Final = RunSize(2, 1, 100_000_000, "17m")
