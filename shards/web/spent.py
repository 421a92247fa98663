"""Why a worker that serves an application is to be replaced, as it says to its supervisor.

Owns the words; whether they are believed is `shards.supervisor.replacing`'s.
"""

from enum import IntEnum


class Spent(IntEnum):
    """Why a worker is to be replaced, as its row says it; 0 where it is not."""

    REQUESTS = 1
    """An application has had as many as one may."""
    HUNG = 2
    """All threads of its calls are held by some that do not return."""


def spent(begun_total: int, requests_max: int) -> int:
    """Whether an application has had its requests; `requests_max` 0 is never."""
    return Spent.REQUESTS if 0 < requests_max <= begun_total else 0
