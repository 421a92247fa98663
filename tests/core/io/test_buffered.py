"""Lines and exact counts from a stream: whatever the pieces in which it comes, within a bound."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.errors import BoundExceeded, IncompleteReadError
from gossamer.core.io.buffered import HELD_BYTES_MAX, BufferedReader
from gossamer.core.io.pipe import open_pipe
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep
from gossamer.core.threads.cancel import move_on_after

from .stacks import talk


class Pieces:
    """A source that gives its pieces one a recv, cut where less is asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = [piece for piece in pieces if piece]
        self.asked_max = 0
        self.held_max = 0
        self.reader: BufferedReader | None = None

    async def recv(self, bytes_max: int) -> bytes:
        assert bytes_max > 0
        self.asked_max = max(self.asked_max, bytes_max)
        if self.reader is not None:
            self.held_max = max(self.held_max, self.reader.held_bytes + bytes_max)
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if piece[bytes_max:]:
            self.pieces.insert(0, piece[bytes_max:])
        return piece[:bytes_max]


def ran(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine that never blocks returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it blocked")


def outcome(read: Callable[[], Coroutine[Any, Any, bytes]]) -> Any:
    try:
        return ran(read())
    except IncompleteReadError as error:
        return "incomplete", error.partial


@given(
    st.lists(st.text(alphabet="ab\n", max_size=6).map(str.encode), max_size=12),
    st.lists(st.sampled_from(["line", "until", 0, 1, 3, "read"]), max_size=12),
)
def test_reads__any_pieces__as_if_it_had_come_in_one(pieces: list[bytes], reads: list[Any]) -> None:
    """What is read does not depend on how it came, but for `read`, which takes what there is."""
    whole = b"".join(pieces)
    reader = BufferedReader(Pieces(*pieces))
    at = 0
    for read in reads:
        rest = whole[at:]
        if read == "line":
            expected: Any = rest[: rest.find(b"\n") + 1] if b"\n" in rest else rest
            found = outcome(reader.readline)
        elif read == "until":
            expected = rest[: rest.find(b"a\n") + 2] if b"a\n" in rest else ("incomplete", rest)
            found = outcome(lambda: reader.readuntil(b"a\n"))
        elif read == "read":
            found = outcome(lambda: reader.read(4))
            expected = rest[: len(found)]
            assert bool(found) == bool(rest)
        else:
            expected = rest[:read] if len(rest) >= read else ("incomplete", rest)
            found = outcome(lambda count=read: reader.readexactly(count))  # type: ignore[misc]
        assert found == expected
        at += len(found[1] if isinstance(found, tuple) else found)


def test_lines__one_after_another__the_last_without_an_end() -> None:
    async def lines() -> list[bytes]:
        return [line async for line in BufferedReader(Pieces(b"one\ntw", b"o\n\nthr", b"ee"))]

    assert ran(lines()) == [b"one\n", b"two\n", b"\n", b"three"]


def test_line_longer_than_the_bound__bound_exceeded__and_it_can_still_be_read() -> None:
    source = Pieces(b"x" * 30 + b"\n")
    reader = source.reader = BufferedReader(source, 16)
    with pytest.raises(BoundExceeded, match="16 bytes"):
        ran(reader.readline())
    assert reader.held_bytes == 16
    assert source.held_max <= 16
    assert ran(reader.readexactly(16)) + ran(reader.readline()) == b"x" * 30 + b"\n"


def test_line_as_long_as_the_bound__is_read() -> None:
    assert ran(BufferedReader(Pieces(b"x" * 15 + b"\n"), 16).readline()) == b"x" * 15 + b"\n"


def test_separator__split_over_pieces__found_and_looked_for_once() -> None:
    reader = BufferedReader(Pieces(*(bytes([octet]) for octet in b"head\r\n\r\nbody")))
    assert ran(reader.readuntil(b"\r\n\r\n")) == b"head\r\n\r\n"
    assert ran(reader.readexactly(4)) == b"body"


def test_end__in_the_middle__says_what_there_was_and_what_was_expected() -> None:
    reader = BufferedReader(Pieces(b"abc"))
    with pytest.raises(IncompleteReadError, match="after 3 bytes of 5 bytes") as caught:
        ran(reader.readexactly(5))
    assert caught.value.partial == b"abc"
    assert isinstance(caught.value, EOFError)
    assert ran(reader.read()) == b""
    assert ran(reader.readexactly(0)) == b""
    with pytest.raises(IncompleteReadError, match="a part that ends in"):
        ran(reader.readuntil(b"\n"))


def test_fast_sender__never_more_is_held_than_may_be() -> None:
    source = Pieces(*[b"x" * 100_000] * 10)
    reader = source.reader = BufferedReader(source)
    ran(reader.readexactly(10))
    ran(reader.readexactly(HELD_BYTES_MAX))
    assert source.held_max <= HELD_BYTES_MAX


def test_read__cancelled_in_the_middle__nothing_is_lost(kernel: Any) -> None:
    async def main() -> tuple[bool, bytes]:
        reading, writing = open_pipe()
        async with reading, writing:
            buffered = BufferedReader(reading)
            await writing.send(b"first half, ")
            with move_on_after(0.02) as scope:
                await buffered.readline()

            async def later() -> None:
                await sys_sleep(1_000)
                await writing.send(b"second half\n")

            thread = await sys_fork(later())
            line = await buffered.readline()
            await sys_join(thread)
            return scope.cancelled_caught, line

    assert kernel.run(main()) == (True, b"first half, second half\n")


def test_stream__of_either_stack(stack: Any) -> None:
    async def user(stream: Any) -> bytes:
        async with stream:
            await stream.send(b"200000\n" + b"x" * 100_000)
            await stream.send(b"y" * 100_000)
            return await BufferedReader(stream, 1 << 20).readexactly(200_000)

    async def peer(stream: Any) -> None:
        async with stream:
            buffered = BufferedReader(stream, 1 << 20)
            await stream.send(await buffered.readexactly(int(await buffered.readline())))

    assert stack.run(talk(stack, user, peer)) == b"x" * 100_000 + b"y" * 100_000
