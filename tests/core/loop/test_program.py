"""A program in one line."""

import gc
from collections.abc import Mapping
from typing import Any

import pytest

from gossamer.core.io.pipe import open_pipe
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_blio, sys_fork, sys_ret, sys_sleep
from gossamer.core.threads.eventloop import PassiveLoop
from gossamer.core.threads.systemcall import Handler, SystemCall


def test_run__every_loop_is_there__returns_what_main_returns() -> None:
    async def main() -> bytes:
        reader, writer = open_pipe()
        await writer.send(await sys_blio(bytes, b"through the pool"))
        await sys_sleep(1)
        data = await reader.recv()
        await reader.close()
        await writer.close()
        return data

    assert run(main()) == b"through the pool"


def test_run__main_fails__raises_it_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        run(main())
    assert not caplog.records


def test_run__main_ends_from_within__its_value() -> None:
    async def within() -> None:
        await sys_ret(7)

    async def main() -> None:
        await within()

    assert run(main()) == 7


def test_run__others_still_run__they_are_dropped() -> None:
    left = []

    async def other() -> None:
        try:
            await sys_sleep(60_000_000)
        finally:
            left.append("other")

    async def main() -> None:
        await sys_fork(other())
        await sys_sleep(1)

    run(main())
    gc.collect()
    assert left == ["other"]


def test_run__a_loop_of_the_callers__its_calls_are_taken() -> None:
    class Ask(SystemCall[int], frozen=True, gc=False):
        pass

    class Answers(PassiveLoop):
        takes: Mapping[type[SystemCall[Any]], Handler] = {Ask: lambda _thread, _call: 42}

        def start(self, _scheduler: object) -> None: ...
        def close(self) -> None: ...

    async def main() -> int:
        return await Ask()

    assert run(main(), [Answers()]) == 42
