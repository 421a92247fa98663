"""Pipes between threads: every byte, in order, with either side blocked; ends; cancelling."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.core.errors import GossamerError
from gossamer.core.io.pipe import PipeReader, open_pipe
from gossamer.core.loop.checks import RECV_BYTES_MAX, RECV_ROOM_BYTES
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.nursery import open_nursery

Kernel = Any


async def read_to_end(reader: PipeReader, size: int = 65536) -> bytes:
    received = b""
    while data := await reader.recv(size):
        received += data
    await reader.close()
    return received


def test_more_than_it_holds__all_of_it_arrives(kernel: Kernel) -> None:
    data = bytes(range(256)) * 4096

    async def main() -> bytes:
        reader, writer = open_pipe()
        thread = await sys_fork(read_to_end(reader))
        await writer.send(data)
        await writer.close()
        return await sys_join(thread)  # type: ignore[no-any-return]

    assert kernel.run(main()) == data


def test_recv__of_the_most_that_may_be_asked__makes_room_for_a_mebibyte(kernel: Kernel) -> None:
    async def main() -> tuple[bytes, int]:
        reader, writer = open_pipe()
        async with reader, writer:
            await writer.send(b"x")
            tracemalloc.start()
            try:
                return await reader.recv(RECV_BYTES_MAX), tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    heard, peak_bytes = kernel.run(main())
    assert heard == b"x"
    assert peak_bytes < RECV_ROOM_BYTES + (64 << 10)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=90_000), max_size=5), st.integers(1, 70_000))
def test_any_pieces_and_read_sizes__same_bytes(kernel: Kernel, pieces: list[bytes], size: int) -> None:
    async def main() -> bytes:
        reader, writer = open_pipe()
        thread = await sys_fork(read_to_end(reader, size))
        for piece in pieces:
            await writer.send(piece)
        await writer.close()
        return await sys_join(thread)  # type: ignore[no-any-return]

    assert kernel.run(main()) == b"".join(pieces)


def test_last_bytes_and_end_together__bytes_then_end(kernel: Kernel) -> None:
    """A short read says drained, but not when the other end is gone: else the end would never be seen."""

    async def main() -> bytes:
        reader, writer = open_pipe()
        thread = await sys_fork(read_to_end(reader))
        await sys_sleep(10_000)
        await writer.send(b"last")
        await writer.close()
        return await sys_join(thread)  # type: ignore[no-any-return]

    assert kernel.run(main()) == b"last"


def test_send__nobody_reads__broken_pipe(kernel: Kernel) -> None:
    async def main() -> None:
        reader, writer = open_pipe()
        await reader.close()
        try:
            await writer.send(b"x")
        finally:
            await writer.close()

    with pytest.raises(BrokenPipeError):
        kernel.run(main())


def test_send__reader_goes_while_blocked__broken_pipe(kernel: Kernel) -> None:
    async def main() -> None:
        reader, writer = open_pipe()

        async def leaves() -> None:
            await sys_sleep(10_000)
            await reader.close()

        await sys_fork(leaves())
        try:
            await writer.send(bytes(1 << 20))
        finally:
            await writer.close()

    with pytest.raises(BrokenPipeError):
        kernel.run(main())


def test_recv__cancelled__the_next_gets_the_bytes(kernel: Kernel) -> None:
    async def main() -> tuple[bool, bytes]:
        reader, writer = open_pipe()
        with move_on_after(0.01) as scope:
            await reader.recv()
        await writer.send(b"hello")
        data = await reader.recv()
        await reader.close()
        await writer.close()
        return scope.cancelled_caught, data

    assert kernel.run(main()) == (True, b"hello")


def test_close__another_is_blocked__it_gets_an_error(kernel: Kernel) -> None:
    async def main() -> None:
        reader, writer = open_pipe()

        async def blocked() -> None:
            with pytest.raises(ConnectionAbortedError):
                await reader.recv()

        async with open_nursery() as nursery:
            nursery.start_soon(blocked)
            await sys_sleep(10_000)
            await reader.close()
            await reader.close()
        await writer.close()

    kernel.run(main())


def test_recv__two_threads__the_second_is_refused(kernel: Kernel) -> None:
    async def main() -> None:
        reader, writer = open_pipe()
        thread = await sys_fork(read_to_end(reader))
        await sys_sleep(10_000)
        with pytest.raises(GossamerError, match="reads descriptor"):
            await reader.recv()
        await writer.close()
        await sys_join(thread)

    kernel.run(main())


def test_pipe__blocks_and_iteration__closed_at_their_ends(kernel: Kernel) -> None:
    async def main() -> tuple[bytes, bool, bool]:
        reader, writer = open_pipe()
        async with reader:
            async with writer:
                await writer.send(b"one")
            received = b"".join([data async for data in reader])
        return received, reader.is_closed, writer.is_closed

    assert kernel.run(main()) == (b"one", True, True)


def test_pipe__printed__its_descriptor_or_that_it_is_closed(kernel: Kernel) -> None:
    async def main() -> list[str]:
        reader, writer = open_pipe()
        shown = [repr(reader) == f"<PipeReader descriptor {reader.fd}>"]
        await reader.close()
        await writer.close()
        return [*map(str, shown), repr(reader), repr(writer)]

    assert kernel.run(main()) == ["True", "<PipeReader closed>", "<PipeWriter closed>"]


@pytest.mark.parametrize("make", [bytearray, memoryview])
def test_send__bytes_that_may_change__were_taken_as_they_were(kernel: Kernel, make: Any) -> None:
    async def main() -> bytes:
        reader, writer = open_pipe()
        data = bytearray(b"hello")
        async with reader, writer:
            call = writer.send(data if make is bytearray else memoryview(data))
            data[0:5] = b"world"
            await call
            return await reader.recv()

    assert kernel.run(main()) == b"hello"
