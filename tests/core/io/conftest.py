"""A scheduler with every loop that meets the kernel, in real time; both ends of a stream on either stack."""

from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.scheduler import Scheduler

from .stacks import Functional, Kernel


class KernelRig:
    """Runs one thread to its end."""

    def __init__(self) -> None:
        self.waiter = EpollWaiter()
        loops = [SleepLoop(), SockLoop(), DescriptorLoop(), FdLoop(), PoolLoop()]
        self.scheduler = Scheduler(self.waiter, loops)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What the thread returned; raises what it raised."""
        thread = self.scheduler.spawn(coroutine)
        self.scheduler.run()
        assert thread.has_ended
        if hasattr(thread.inbox, "error"):
            raise thread.inbox.error
        return thread.inbox

    def close(self) -> None:
        self.scheduler.close()
        self.waiter.close()


@pytest.fixture
def kernel() -> Iterator[KernelRig]:
    made = KernelRig()
    yield made
    made.close()


@pytest.fixture(params=[Kernel, Functional])
def stack(request: pytest.FixtureRequest) -> Iterator[Kernel | Functional]:
    made: Kernel | Functional = request.param()
    yield made
    made.close()
