"""What an application must cost at most beside where else it would run: a table, and what the pairs of a run
say of it. Pure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gossamer.loadtest.experiments.experiment import Goal, goal
from gossamer.loadtest.web.contenders import title_of
from gossamer.loadtest.web.result import CaseResult
from gossamer.loadtest.web.sample import cost_of, pairs


class Bar(NamedTuple):
    """CPU time of one contender over another's, in the rounds that have both."""

    row: str
    above: str
    below: str
    limit: float


NOTHING: Final = 1.02
"""Two things that cost the same are not told from this: sixty rounds leave an interval of two hundredths."""

BARS: Final = (
    Bar("asgi", "asgi-kernel", "uvicorn", 0.75),
    Bar("asgi", "asgi-native", "uvicorn", 0.95),
    Bar("asgi", "uvicorn-gossamer", "uvicorn-asyncio", 1.15),
    Bar("tls", "asgi-kernel", "uvicorn", 1.0),
    Bar("tls", "asgi-native", "uvicorn", 1.0),
    Bar("websocket", "kernel", "uvicorn", 1.0),
    Bar("websocket", "native", "uvicorn", 1.0),
    Bar("websocket", "asgi-kernel", "uvicorn", 1.0),
    Bar("websocket", "asgi-native", "uvicorn", 1.0),
    Bar("websocket", "asgi-kernel", "uvicorn-wsproto", 1.0),
    Bar("websocket", "asgi-native", "uvicorn-wsproto", 1.0),
    Bar("beside", "mounted-kernel", "filed-kernel", NOTHING),
    Bar("beside", "mounted-native", "filed-native", NOTHING),
)


def goals_of(cases: Sequence[CaseResult]) -> list[Goal]:
    """Each bar over each link that it was asked over."""
    goals = []
    for case in cases:
        for bar in BARS:
            if bar.row == case.row:
                ratios = pairs(case.samples.get(bar.above, ()), case.samples.get(bar.below, ()), cost_of)
                name = f"{case.row} over {case.link}: CPU of {title_of(bar.above)} / {title_of(bar.below)}"
                goals += [goal(name, ratios, bar.limit, "x")] if ratios else []
    return goals
