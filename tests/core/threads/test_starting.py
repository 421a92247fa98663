"""`Nursery.start`: a thread that says when it is ready."""

import pytest

from gossamer.core.errors import GossamerError, MisuseError
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_ret, sys_sleep, sys_yield
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.nursery import Nursery, open_nursery
from gossamer.core.threads.starting import Started, nobody_waits

LONG_US = 60_000_000


def test_start__returns_the_value_and_the_thread_goes_on() -> None:
    log: list[str] = []

    async def serves(port: int, *, started: Started = nobody_waits) -> None:
        await sys_yield()
        started(f"port {port}")
        await sys_sleep(1_000)
        log.append("ended")

    async def main() -> None:
        async with open_nursery() as nursery:
            log.append(await nursery.start(serves, 80))
            nursery.start_soon(serves, 81)
            log.append("started")

    run(main())
    assert log == ["port 80", "started", "ended", "ended"]


def test_start__fails_before_it_is_ready__raised_there_and_the_nursery_lives() -> None:
    async def fails(*, started: Started) -> None:
        del started
        await sys_yield()
        raise OSError("port is taken")

    async def main() -> str:
        async with open_nursery() as nursery:
            with pytest.raises(OSError, match="port is taken"):
                await nursery.start(fails)
            await sys_sleep(1)
        return "lives"

    assert run(main()) == "lives"


def test_start__fails_after_it_is_ready__the_nursery_has_it() -> None:
    async def fails(*, started: Started) -> None:
        started()
        await sys_yield()
        raise OSError("broken")

    async def main() -> None:
        async with open_nursery() as nursery:
            assert await nursery.start(fails) is None
            await sys_sleep(LONG_US)

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert [str(error) for error in caught.value.exceptions] == ["broken"]


async def ends(*, started: Started) -> None:
    del started
    await sys_yield()


async def leaves(*, started: Started) -> None:
    del started
    await sys_ret(5)


@pytest.mark.parametrize("function", [ends, leaves])
def test_start__ends_without_being_ready__says_so(function: object) -> None:
    async def main() -> None:
        async with open_nursery() as nursery:
            with pytest.raises(GossamerError, match="started"):
                await nursery.start(function)  # type: ignore[arg-type]

    run(main())


def test_started__twice__misuse_in_the_thread() -> None:
    async def twice(*, started: Started) -> None:
        started(1)
        with pytest.raises(MisuseError, match="has called it before"):
            started(2)

    async def main() -> int:
        async with open_nursery() as nursery:
            value: int = await nursery.start(twice)
        return value

    assert run(main()) == 1


def test_start__cancelled__the_thread_is_and_is_waited_for() -> None:
    log: list[str] = []

    async def slow(*, started: Started) -> None:
        del started
        try:
            await sys_sleep(LONG_US)
        finally:
            log.append("tidied up")

    async def main() -> None:
        async with open_nursery() as nursery:
            with move_on_after(0.001) as scope:
                await nursery.start(slow)
            log.append(f"left: {scope.cancelled_caught}, children: {nursery.children}")

    run(main())
    assert log[0] == "tidied up"
    assert log[1].startswith("left: True")


def test_start__cancelled_and_the_thread_fails_on_its_way_out__its_error_is_not_lost() -> None:
    async def slow(*, started: Started) -> None:
        del started
        try:
            await sys_sleep(LONG_US)
        finally:
            raise OSError("cannot tidy up")

    async def main() -> None:
        async with open_nursery() as nursery:
            with pytest.raises(OSError, match="cannot tidy up"), move_on_after(0.001):
                await nursery.start(slow)

    run(main())


def test_start__the_nursery_is_cancelled_by_another__the_start_ends() -> None:
    async def slow(*, started: Started) -> None:
        del started
        await sys_sleep(LONG_US)

    async def starts(nursery: Nursery) -> str:
        try:
            await nursery.start(slow)
        except GossamerError as error:
            return str(error)
        return "started"

    async def main() -> str:
        found: list[str] = []

        async def outsider(nursery: Nursery) -> None:
            found.append(await starts(nursery))

        async with open_nursery() as outer, open_nursery() as inner:
            outer.start_soon(outsider, inner)
            await sys_sleep(1_000)
            inner.cancel_scope.cancel()
        return found[0]

    assert "was called off" in run(main())
