"""Nurseries: what is refused on the user's line, what ends a child, and who gets the error."""

import asyncio
import gc
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_fork, sys_join, sys_nbio, sys_ret, sys_sleep, sys_yield
from gossamer.core.threads.nursery import open_nursery

LONG_US = 60_000_000


class StopAllError(BaseException):
    """One of a user's own, that is no Exception."""


async def works() -> None:
    await sys_sleep(1)


def plain() -> int:
    return 7


def line_of(error: BaseException) -> str:
    """The last line of this file that an error's traceback names."""
    entries = [entry for entry in traceback.extract_tb(error.__traceback__) if entry.filename == __file__]
    return entries[-1].line or ""


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (lambda nursery: nursery.start_soon(plain), "plain returned 7, which cannot be awaited"),
        (lambda nursery: nursery.start_soon(works()), "start_soon takes a function and its arguments"),
        (lambda nursery: nursery.start_soon(None), "function: found None"),
        (lambda nursery: nursery.start_soon(works, name=5), "name: found 5"),
        (lambda nursery: nursery.start_soon(sys_join, None), "sys_join: thread: found None"),
    ],
    ids=["plain", "coroutine", "None", "name", "call"],
)
def test_start_soon__of_what_cannot_be__refused_on_the_users_line(
    start: Callable[[Any], None], message: str
) -> None:
    async def main() -> None:
        async with open_nursery() as nursery:
            with pytest.raises(MisuseError, match=message) as caught:
                start(nursery)
            assert "start_soon(" in line_of(caught.value)
            assert nursery.children == 0

    run(main())


def test_start_soon__missing_argument__type_error_on_the_users_line() -> None:
    async def takes_one(_what: int) -> None: ...

    async def main() -> None:
        async with open_nursery() as nursery:
            with pytest.raises(TypeError, match="missing 1 required"):
                nursery.start_soon(takes_one)  # type: ignore[call-arg]

    run(main())


def test_nursery__without_async_with__refused_with_the_way_out() -> None:
    async def main() -> None:
        with pytest.raises(MisuseError, match="async with open_nursery"):
            open_nursery().start_soon(works)
        with pytest.raises(MisuseError, match="async with open_nursery"), open_nursery():
            pass
        with pytest.raises(MisuseError, match="async with open_nursery"):
            await open_nursery()
        async with open_nursery() as nursery:
            with pytest.raises(MisuseError, match="entered once"):
                async with nursery:
                    pass

    run(main())


ENDINGS = [SystemExit(3), GeneratorExit(), asyncio.CancelledError(), StopAllError("all")]


async def nursery_with(child: Callable[[], Awaitable[None]]) -> None:
    async with open_nursery() as nursery:
        nursery.start_soon(child)
        await sys_sleep(LONG_US)


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: type(ending).__name__)
def test_child__ends_by_any_base_exception__the_nursery_has_it_and_others_live(ending: BaseException) -> None:
    lived: list[str] = []

    async def child() -> None:
        await sys_yield()
        raise ending

    async def bystander() -> None:
        await sys_sleep(2_000)
        lived.append("bystander")

    async def main() -> None:
        other = await sys_fork(bystander())
        with pytest.raises(BaseExceptionGroup) as caught:
            await nursery_with(child)
        assert ending in caught.value.exceptions
        await sys_join(other)

    run(main())
    assert lived == ["bystander"]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: type(ending).__name__)
def test_forked__ends_by_any_base_exception__the_joiner_has_it(ending: BaseException) -> None:
    is_exit = isinstance(ending, GeneratorExit)  # which would close the joiner

    async def child() -> None:
        raise ending

    async def main() -> str:
        thread = await sys_fork(child())
        with pytest.raises(RuntimeError if is_exit else type(ending)) as caught:
            await sys_join(thread)
        assert (caught.value.__cause__ if is_exit else caught.value) is ending
        await sys_sleep(1)
        return "joined, and may go on"

    assert run(main()) == "joined, and may go on"


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: type(ending).__name__)
def test_function_of_nbio__ends_by_any_base_exception__the_thread_has_it(ending: BaseException) -> None:
    is_exit = isinstance(ending, GeneratorExit)

    def ends() -> None:
        raise ending

    async def main() -> str:
        with pytest.raises(RuntimeError if is_exit else type(ending)) as caught:
            await sys_nbio(ends)
        assert (caught.value.__cause__ if is_exit else caught.value) is ending
        await sys_sleep(1)
        return "lives"

    assert run(main()) == "lives"


def test_nursery__a_thread_that_is_thrown_away__no_error_of_a_child() -> None:
    """Closing a child's coroutine is no failure of it."""
    raised: list[BaseException] = []

    async def child() -> None:
        try:
            await sys_sleep(LONG_US)
        except BaseException as error:
            raised.append(error)
            raise

    async def holds() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(child)

    async def main() -> None:
        await sys_fork(holds())
        await sys_sleep(1)

    run(main())
    gc.collect()
    assert [type(error) for error in raised] == [GeneratorExit]


def test_child__leaves_by_sys_ret__is_no_error() -> None:
    async def child() -> None:
        await sys_ret(1)

    async def main() -> str:
        async with open_nursery() as nursery:
            nursery.start_soon(child)
        return "fine"

    assert run(main()) == "fine"
