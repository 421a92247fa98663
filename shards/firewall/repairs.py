"""When rules that somebody removed are installed again. Pure.

Owns the bound of a fight: whoever removes them once is answered at once; whoever does so again and again, a
tool that keeps a ruleset of its own, is answered ever later, and never not at all.
"""

from typing import Final

import msgspec

PERIOD_US: Final = 60_000_000
AT_ONCE_MAX: Final = 3
"""Within a period: `iptables -F` by a script in several steps is no fight yet."""
DELAY_FIRST_US: Final = 1_000_000
DELAY_MAX_US: Final = 30_000_000


class Repairs(msgspec.Struct, frozen=True):
    """The times of the last repairs, oldest first; those that no longer count are left out."""

    at_us: tuple[int, ...] = ()


def with_repair(history: Repairs, now_us: int) -> Repairs:
    """The history with a further one."""
    return Repairs((*(at for at in history.at_us if now_us - at < PERIOD_US), now_us))


def repair_delay_us(history: Repairs, now_us: int) -> int:
    """How long after `now_us` the next repair may begin."""
    recent = [at for at in history.at_us if now_us - at < PERIOD_US]
    if len(recent) < AT_ONCE_MAX:
        return 0
    wait_us = min(DELAY_FIRST_US << min(len(recent) - AT_ONCE_MAX, 16), DELAY_MAX_US)
    return max(0, recent[-1] + wait_us - now_us)
