"""Signals as a stream of numbers."""

import os
import signal
from typing import Any

from gossamer.core.io.signals import SignalSocket

Kernel = Any


def test_signals__in_their_order__handlers_are_put_back(kernel: Kernel) -> None:
    before = signal.getsignal(signal.SIGUSR1)

    async def main() -> list[int]:
        with SignalSocket([signal.SIGUSR1, signal.SIGUSR2]) as signals:
            os.kill(os.getpid(), signal.SIGUSR1)
            seen = [await signals.__anext__()]
            os.kill(os.getpid(), signal.SIGUSR2)
            async for number in signals:
                seen.append(number)
                break
            return seen

    assert kernel.run(main()) == [signal.SIGUSR1, signal.SIGUSR2]
    assert signal.getsignal(signal.SIGUSR1) is before


def test_signals__one_that_others_handle__not_reported(kernel: Kernel) -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _frame: came.append(number))

    async def main() -> int:
        with SignalSocket([signal.SIGUSR1]) as signals:
            signal.raise_signal(signal.SIGUSR2)
            signal.raise_signal(signal.SIGUSR1)
            return await anext(signals)

    try:
        assert kernel.run(main()) == signal.SIGUSR1
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert came == [signal.SIGUSR2]


def test_signals__sent_to_a_forked_child_at_once__end_it_and_are_not_heard_here(kernel: Kernel) -> None:
    """Many times: nothing may come between the fork and the child's own beginning."""

    async def main() -> tuple[list[int], int]:
        with SignalSocket([signal.SIGTERM, signal.SIGUSR1]) as signals:
            ends = []
            for _ in range(50):
                if (child := os.fork()) == 0:
                    signal.pause()
                    os._exit(1)
                os.kill(child, signal.SIGTERM)
                ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            signal.raise_signal(signal.SIGUSR1)
            return ends, await anext(signals)

    assert kernel.run(main()) == ([-signal.SIGTERM] * 50, signal.SIGUSR1)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_signals__taken_by_another_meanwhile__left_to_it() -> None:
    def another(_number: int, _frame: object) -> None: ...

    before = signal.getsignal(signal.SIGUSR1)
    try:
        with SignalSocket([signal.SIGUSR1]):
            signal.signal(signal.SIGUSR1, another)
        assert signal.getsignal(signal.SIGUSR1) is another
    finally:
        signal.signal(signal.SIGUSR1, before)
