"""Into a scheduler from another operating-system thread."""

import logging
import threading
import time
from typing import Any

import pytest

from gossamer.core.errors import BoundExceeded, MisuseError
from gossamer.core.loop import from_thread
from gossamer.core.loop.from_thread import CALLS_MAX, Token, sys_token
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_blio, sys_fork, sys_ret, sys_sleep
from gossamer.core.threads.current import NoSchedulerRuns
from gossamer.core.threads.sync import Channel, Event


def test_pool__hands_values_to_a_channel() -> None:
    def works(channel: Channel[int]) -> int:
        for number in range(100):
            while not from_thread.run_sync(channel.try_send, number):
                time.sleep(0.001)
        from_thread.run_sync(channel.close)
        return threading.get_ident()

    async def main() -> list[int]:
        channel: Channel[int] = Channel(8)
        await sys_fork(pool_works(channel))
        return [number async for number in channel]

    async def pool_works(channel: Channel[int]) -> None:
        assert await sys_blio(works, channel) != threading.get_ident()

    assert run(main()) == list(range(100))


def test_any_thread__with_a_token__sync_and_async() -> None:
    found: list[Any] = []

    async def doubles(number: int) -> int:
        await sys_sleep(1_000)
        return 2 * number

    async def leaves() -> int:
        await sys_ret(11)

    async def fails() -> None:
        raise SystemExit(3)

    def elsewhere(token: Token, done: Event) -> None:
        found.append(token.run_sync(threading.get_ident))
        found.append(token.run(doubles, 21))
        found.append(token.run(leaves))
        for function in (lambda: token.run_sync(divmod, 1, 0), lambda: token.run(fails)):
            try:
                function()
            except BaseException as error:  # noqa: BLE001 - looked at by the test
                found.append(type(error))
        token.run_sync_soon(done.set)

    async def main() -> None:
        done = Event()
        threading.Thread(target=elsewhere, args=(await sys_token(), done)).start()
        await done.wait()

    run(main())
    assert found == [threading.get_ident(), 42, 11, ZeroDivisionError, SystemExit]


def test_on_the_schedulers_own_thread__refused() -> None:
    async def main() -> None:
        token = await sys_token()
        with pytest.raises(MisuseError, match="waits for itself"):
            token.run_sync(print)
        with pytest.raises(MisuseError, match="none of a pool's"):
            from_thread.run_sync(print)
        with pytest.raises(MisuseError, match="function: found 5"):
            token.run_sync_soon(5)  # type: ignore[arg-type]

    run(main())


def test_too_many_calls__bound_exceeded() -> None:
    async def main() -> list[int]:
        token = await sys_token()
        found: list[int] = []
        for number in range(CALLS_MAX):
            token.run_sync_soon(found.append, number)
        with pytest.raises(BoundExceeded, match="CALLS_MAX"):
            token.run_sync_soon(found.append, -1)
        await sys_sleep(1_000)
        token.run_sync_soon(found.append, -2)
        await sys_sleep(1_000)
        return found

    assert run(main()) == [*range(CALLS_MAX), -2]


def test_error_nobody_waits_for__logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> str:
        (await sys_token()).run_sync_soon(divmod, 1, 0)
        await sys_sleep(1_000)
        return "lives"

    assert run(main()) == "lives"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "ZeroDivisionError" in caplog.text


def test_program_ends__who_waits_gets_an_error_and_who_comes_is_refused() -> None:
    found: list[BaseException] = []

    async def never() -> None:
        await sys_sleep(60_000_000)

    def waits(token: Token) -> None:
        try:
            token.run(never)
        except NoSchedulerRuns as error:
            found.append(error)

    async def main() -> tuple[Token, threading.Thread]:
        token = await sys_token()
        thread = threading.Thread(target=waits, args=(token,))
        thread.start()
        await sys_sleep(20_000)
        return token, thread

    token, thread = run(main())
    thread.join(10)
    assert not thread.is_alive()
    assert len(found) == 1
    with pytest.raises(NoSchedulerRuns):
        token.run_sync_soon(print)
