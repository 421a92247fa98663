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
