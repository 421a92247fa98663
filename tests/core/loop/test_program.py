"""A program in one line."""

import gc
import sys
import warnings
from asyncio import CancelledError
from collections.abc import Mapping
from typing import Any

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.io.pipe import open_pipe
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_blio, sys_fork, sys_ret, sys_sleep
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.eventloop import PassiveLoop
from gossamer.core.threads.nursery import open_nursery
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


async def nothing() -> None: ...


class StopAllError(BaseException):
    """One of a user's own, that is no Exception."""


@pytest.mark.parametrize(
    "wrong", [nothing, None, 5, sys_sleep(1), [nothing]], ids=["function", "None", "number", "call", "list"]
)
def test_run__of_what_is_no_coroutine__refused(wrong: Any) -> None:
    with pytest.raises(MisuseError, match=r"run: main: found .* allowed is a coroutine"):
        run(wrong)


def test_run__of_a_function__says_that_it_was_not_called() -> None:
    with pytest.raises(MisuseError, match=r"not called, nothing\(\) is meant"):
        run(nothing)  # type: ignore[arg-type]


def test_run_within_run__refused_and_the_coroutine_is_no_forgotten_one() -> None:
    async def main() -> str:
        with pytest.raises(MisuseError, match="run within run"):
            run(nothing())
        return "goes on"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(main()) == "goes on"
        gc.collect()


def test_run_within_a_function_of_the_pool__is_a_program_of_its_own() -> None:
    async def main() -> int:
        return await sys_blio(lambda: run(answers()))

    async def answers() -> int:
        return 42

    assert run(main()) == 42


@pytest.mark.parametrize("where", ["main", "child", "grandchild"])
def test_sys_exit__in_mains_tree__all_are_cancelled_and_the_program_exits(where: str) -> None:
    ended: list[str] = []

    async def works() -> None:
        try:
            await sys_sleep(60_000_000)
        finally:
            with CancelScope(shield=True):
                await sys_sleep(1_000)
            ended.append("works")

    async def leaves() -> None:
        await sys_sleep(1_000)
        sys.exit(3)

    async def child() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(leaves)
            await works()

    async def main() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(works)
            if where == "main":
                await leaves()
            nursery.start_soon(leaves if where == "child" else child)
            await works()

    with pytest.raises(SystemExit) as caught:
        run(main())
    assert caught.value.code == 3
    assert ended == ["works"] * {"main": 1, "child": 2, "grandchild": 3}[where]


def test_sys_exit__beside_another_error__which_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        try:
            await sys_sleep(60_000_000)
        finally:
            raise OSError("cannot tidy up")

    async def main() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(fails)
            await sys_sleep(1_000)
            sys.exit(3)

    with pytest.raises(SystemExit):
        run(main())
    assert "cannot tidy up" in caplog.text


@pytest.mark.parametrize("ending", [SystemExit(3), GeneratorExit(), CancelledError(), StopAllError()])
def test_any_base_exception__in_a_forked_thread__ends_it_alone_and_is_logged(
    caplog: pytest.LogCaptureFixture, ending: BaseException
) -> None:
    async def leaves() -> None:
        raise ending

    async def main() -> str:
        await sys_fork(leaves(), "leaver")
        await sys_sleep(1_000)
        return "lives"

    assert run(main()) == "lives"
    assert "<Thread leaver> was ended by an error" in caplog.text
