"""What a user reads when something fails deep inside a nursery."""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.io.pipe import open_pipe
from gossamer.core.loop.program import run
from gossamer.core.threads import nursery as machinery
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep, sys_yield
from gossamer.core.threads.nursery import open_nursery

FOLDER = str(Path(machinery.__file__).parent)


async def send_to_nobody() -> None:
    reader, writer = open_pipe()
    await reader.close()
    await writer.send(b"x")


async def handler() -> None:
    async with open_nursery() as nursery:
        nursery.start_soon(send_to_nobody, name="inner")


async def two_nurseries() -> None:
    async with open_nursery() as nursery:
        nursery.start_soon(handler)
        await sys_sleep(10_000_000)


def frames(error: BaseException) -> list[str]:
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]


def error_of(body: Any) -> BaseException:
    with pytest.raises((Exception, ExceptionGroup)) as caught:
        run(body)
    return caught.value


def test_nested_nurseries__only_the_frames_of_the_user_and_the_names_of_the_threads() -> None:
    outer = error_of(two_nurseries())
    assert isinstance(outer, ExceptionGroup)
    inner = outer.exceptions[0]
    assert isinstance(inner, ExceptionGroup)
    broken = inner.exceptions[0]
    assert isinstance(broken, BrokenPipeError)
    assert set(frames(inner) + frames(broken)) == {__file__}
    assert not [name for name in frames(outer) if name.startswith(FOLDER)]
    assert inner.__notes__ == ["in thread handler"]
    assert broken.__notes__ == ["in thread inner"]


def test_block_fails__its_error_is_printed_once() -> None:
    async def body() -> None:
        async with open_nursery():
            raise KeyError("the block")

    text = "".join(traceback.format_exception(error_of(body())))
    assert text.count("KeyError: 'the block'") == 1
    assert "During handling" not in text


def test_join__error_names_the_thread_that_it_was_raised_in() -> None:
    async def fails() -> None:
        await sys_yield()
        raise KeyError("x")

    async def body() -> None:
        await sys_join(await sys_fork(fails(), "worker 7"))

    error = error_of(body())
    assert error.__notes__ == ["in thread worker 7"]
    assert not [name for name in frames(error) if name.startswith(FOLDER)]


def test_machinery_itself_fails__its_last_frame_is_kept() -> None:
    class Odd:
        def __await__(self) -> int:
            return 0

    async def body() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(Odd)  # type: ignore[arg-type]

    outer = error_of(body())
    assert isinstance(outer, ExceptionGroup)
    assert isinstance(outer.exceptions[0], TypeError)
    assert frames(outer.exceptions[0])[-1] == machinery.__file__


def test_error_thrown_without_frames__out_of_a_call_started_as_it_is() -> None:
    """Taking the machinery out leaves no frame at all: `start_soon` of a method that returns a call."""

    async def body() -> None:
        reader, writer = open_pipe()
        await reader.close()
        try:
            async with open_nursery() as nursery:
                nursery.start_soon(writer.send, b"x", name="sender")
                await sys_sleep(10_000_000)
        finally:
            await writer.close()

    outer = error_of(body())
    assert isinstance(outer, ExceptionGroup)
    (broken,) = outer.exceptions
    assert isinstance(broken, BrokenPipeError)
    assert broken.__notes__ == ["in thread sender"]
    assert frames(broken) == []


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class NotesOfItsOwnError(Exception):
    __notes__ = ()  # type: ignore[assignment]


@pytest.mark.parametrize("error", [FrozenError(7), NotesOfItsOwnError()], ids=["frozen", "notes"])
def test_error_that_takes_no_note__is_raised_all_the_same(error: Exception) -> None:
    async def fails() -> None:
        raise error

    async def in_a_nursery() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(fails)
            await sys_sleep(10_000_000)

    async def joined() -> None:
        await sys_join(await sys_fork(fails()))

    outer = error_of(in_a_nursery())
    assert isinstance(outer, ExceptionGroup)
    assert outer.exceptions == (error,)
    assert error_of(joined()) is error
