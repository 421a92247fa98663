"""A scheduler in virtual time, and a run to the end."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.scheduler import Scheduler

Run = Callable[..., list[Any]]


@pytest.fixture
def run() -> Run:
    """Runs coroutines as threads to their end: what each returned; raises what one of them raised."""

    def run_all(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        clock = VirtualClock()
        scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)
        threads = [scheduler.spawn(coroutine) for coroutine in coroutines]
        scheduler.run()
        for thread in threads:
            if hasattr(thread.inbox, "error"):
                raise thread.inbox.error
        return [thread.inbox for thread in threads]

    return run_all
