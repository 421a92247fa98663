"""Parts of files on a stream of either stack: what arrives, whatever becomes of the file meanwhile."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.io.file import File
from gossamer.core.io.sendfile import send_file
from gossamer.core.loop.tcp.files import IDLE_US
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep
from gossamer.core.threads.cancel import CancelScope

from .stacks import Functional, talk
from .test_contract import SOON_US, is_deaf, outcome

CONTENT = Random("a file").randbytes(12_000_000)
"""More than the buffers of both ends hold."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    opened = os.open(path, os.O_RDWR)
    yield opened
    os.close(opened)


class Reader:
    """The other end: reads all, once it may."""

    def __init__(self, after_us: int = 0) -> None:
        self.after_us = after_us
        self.received = b""
        self.ended_by: Any = None

    async def __call__(self, stream: Any) -> None:
        await sys_sleep(self.after_us)
        pieces = []

        async def read() -> None:
            while data := await stream.recv(1 << 20):
                pieces.append(data)

        self.ended_by = await outcome(read)
        self.received = b"".join(pieces)
        await stream.close()


def descriptors_of(path: Path) -> int:
    """How many of this process lead to a file."""
    links = Path("/proc/self/fd").iterdir()
    found = 0
    for link in links:
        with suppress(FileNotFoundError):
            found += os.readlink(link).removesuffix(" (deleted)") == str(path)
    return found


async def until_read(reader: Reader) -> None:
    """Until the other end has read all."""
    for _ in range(1_000):
        if reader.ended_by is not None or reader.received:
            return
        await sys_sleep(SOON_US)


def exchange(stack: Any, user: Callable[[Any], Awaitable[Any]], reader: Reader) -> Any:
    """What `user` makes of a stream to the reader, which has read all then."""

    async def both(stream: Any) -> Any:
        made = await user(stream)
        await until_read(reader)
        return made

    return stack.run(talk(stack, both, reader))


@pytest.mark.parametrize("length", [0, 1, 4_095, 4_096, 100_001, len(CONTENT) - 3])
def test_part_of_a_file__closed_as_soon_as_it_is_taken__arrives(stack: Any, fd: int, length: int) -> None:
    async def sends(stream: Any) -> int:
        own = os.dup(fd)
        sent: int = await stream.send_file(own, 3, length)
        os.close(own)
        await stream.close()
        return sent

    reader = Reader()
    assert exchange(stack, sends, reader) == length
    assert reader.received == CONTENT[3 : 3 + length]


def test_octets_and_files_in_turn__arrive_in_order(stack: Any, fd: int) -> None:
    async def sends(stream: Any) -> None:
        await stream.send(b"first ")
        await stream.send_file(fd, 0, 5_000_000)
        await stream.send(b" between ")
        await stream.send_file(fd, 1_000_000, 10)
        await stream.send_file(fd, 2_000_000, 300_000)
        await stream.send_last(b" last")
        await stream.close()

    reader = Reader()
    exchange(stack, sends, reader)
    files = (CONTENT[:5_000_000], CONTENT[1_000_000:1_000_010], CONTENT[2_000_000:2_300_000])
    assert reader.received == b"first " + files[0] + b" between " + files[1] + files[2] + b" last"


def test_file_shorter_than_asked_for__says_how_much_was_sent(stack: Any, fd: int) -> None:
    async def sends(stream: Any) -> list[int]:
        sent = [await stream.send_file(fd, len(CONTENT) - 5_000, 10_000)]
        sent.append(await stream.send_file(fd, len(CONTENT) + 7, 1))
        await stream.close()
        return sent

    reader = Reader()
    assert exchange(stack, sends, reader) == [5_000, 0]
    assert reader.received == CONTENT[-5_000:]


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"n" * len(CONTENT))
    other.replace(path)


@pytest.mark.parametrize("change", [append, replace, Path.unlink])
def test_file_changes_its_name_or_grows__what_was_asked_for_arrives(
    stack: Any, path: Path, fd: int, change: Callable[[Path], None]
) -> None:
    async def sends(stream: Any) -> int:
        async def changes() -> None:
            await sys_sleep(SOON_US)
            change(path)

        thread = await sys_fork(changes())
        sent: int = await stream.send_file(fd, 0, len(CONTENT))
        await sys_join(thread)
        await stream.close()
        return sent

    reader = Reader(2 * SOON_US)
    assert exchange(stack, sends, reader) == len(CONTENT)
    assert reader.received == CONTENT


@pytest.mark.parametrize("left_bytes", [0, 100_000, len(CONTENT) - 1])
def test_file_becomes_shorter__the_peer_has_what_there_was__and_is_reset(
    stack: Any, path: Path, fd: int, left_bytes: int
) -> None:
    """As the web server does it: a promise that cannot be kept ends the connection. A page that has left
    already may show the file as it is."""

    async def sends(stream: Any) -> None:
        async def cuts() -> None:
            await sys_sleep(SOON_US)
            os.truncate(path, left_bytes)

        thread = await sys_fork(cuts())
        sent = await outcome(lambda: stream.send_file(fd, 0, len(CONTENT)))
        await sys_join(thread)
        assert sent != len(CONTENT)
        await stream.abort()

    reader = Reader(2 * SOON_US)
    exchange(stack, sends, reader)
    assert reader.ended_by is not None
    assert len(reader.received) < len(CONTENT)
    whole = min(len(reader.received), left_bytes)
    assert reader.received[:whole] == CONTENT[:whole]


def test_file_becomes_shorter__after_all_of_it_was_taken__nobody_hangs(path: Path, fd: int) -> None:
    """On the functional TCP it is read when it leaves: what is not there any more ends the connection."""
    stack = Functional()

    async def sends(stream: Any) -> Any:
        assert await stream.send_file(fd, 0, 2_000_000) == 2_000_000
        os.truncate(path, 1_000)
        return await outcome(stream.recv)

    reader = Reader(SOON_US)
    assert exchange(stack, sends, reader) == (OSError, 5)
    assert reader.ended_by is not None
    assert len(reader.received) < 2_000_000
    stack.close()


@pytest.mark.parametrize(
    ("flags", "what"), [(os.O_WRONLY, "file"), (os.O_RDONLY | os.O_DIRECTORY, "."), (None, "pipe")]
)
def test_nothing_can_be_sent_from_it__an_oserror_at_once(
    stack: Any, path: Path, flags: int | None, what: str
) -> None:
    async def sends(stream: Any) -> Any:
        read_end, write_end = os.pipe()
        opened = read_end if flags is None else os.open(path.parent / what, flags)
        found = await outcome(lambda: stream.send_file(opened, 0, 10_000))
        for each in {read_end, write_end, opened}:
            os.close(each)
        await stream.abort()
        return found

    reader = Reader()
    kind, _ = stack.run(talk(stack, sends, reader))
    assert issubclass(kind, OSError)


def test_descriptor_that_is_not_open__ebadf(stack: Any) -> None:
    async def sends(stream: Any) -> Any:
        found = await outcome(lambda: stream.send_file(1 << 20, 0, 10))
        await stream.abort()
        return found

    assert stack.run(talk(stack, sends, Reader())) == (OSError, 9)


def test_peer_does_not_read__timeout__then_a_second_try(stack: Any, fd: int) -> None:
    async def sends(stream: Any) -> Any:
        found = await outcome(lambda: stream.send_file(fd, 0, len(CONTENT), SOON_US))
        await stream.abort()
        return found

    assert stack.run(talk(stack, sends, is_deaf)) == (TimeoutError, None)


def test_cancelled__no_thread_waits__and_no_descriptor_is_left(stack: Any, path: Path, fd: int) -> None:
    async def sends(stream: Any) -> None:
        with CancelScope() as scope:

            async def cancels() -> None:
                await sys_sleep(SOON_US)
                scope.cancel()

            thread = await sys_fork(cancels())
            await stream.send_file(fd, 0, len(CONTENT))
        await sys_join(thread)
        await stream.abort()
        await sys_sleep(2 * IDLE_US if isinstance(stack, Functional) else 0)

    stack.run(talk(stack, sends, is_deaf))
    assert descriptors_of(path) == 1


def test_two_senders_of_a_file__the_second_is_refused(stack: Any, fd: int) -> None:
    async def sends(stream: Any) -> list[Any]:
        async def first_sends() -> int:
            sent: int = await stream.send_file(fd, 0, len(CONTENT))
            return sent

        first = await sys_fork(first_sends())
        await sys_sleep(SOON_US)
        found = [
            await outcome(lambda: stream.send_file(fd, 0, 10)),
            await outcome(lambda: stream.send(b"x")),
        ]
        await stream.abort()
        await outcome(lambda: sys_join(first))
        found.append(await outcome(lambda: stream.send_file(fd, 0, 10)))
        return found

    found = stack.run(talk(stack, sends, is_deaf))
    assert found == [MisuseError, MisuseError, (ConnectionAbortedError, 103)]


def test_functional_tcp__one_descriptor_for_a_file__closed_once_idle(path: Path, fd: int) -> None:
    stack = Functional()
    counts = []

    async def sends(stream: Any) -> None:
        again = os.open(path, os.O_RDONLY)
        for each in (fd, again, fd):
            await stream.send_file(each, 0, 100_000)
        os.close(again)
        counts.append(descriptors_of(path))
        await sys_sleep(IDLE_US // 2)
        counts.append(descriptors_of(path))
        await stream.send_file(fd, 0, 100_000)
        await sys_sleep(3 * IDLE_US // 4)
        counts.append(descriptors_of(path))
        await sys_sleep(IDLE_US)
        counts.append(descriptors_of(path))
        await stream.close()

    exchange(stack, sends, Reader())
    assert counts == [2, 2, 2, 1]
    stack.close()


def test_functional_tcp__loop_closes__every_descriptor_too(path: Path, fd: int) -> None:
    stack = Functional()

    async def sends(stream: Any) -> None:
        await stream.send_file(fd, 0, 2 << 20)

    stack.run(talk(stack, sends, is_deaf))
    assert descriptors_of(path) == 2
    stack.close()
    assert descriptors_of(path) == 1


@pytest.mark.needs("page-cache")  # What it does not hold is read by a loop that virtual time has none of.
def test_no_descriptor_left_to_have__the_file_is_read(
    path: Path, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Functional()

    def none_left(_fd: int) -> int:
        raise OSError(24, "too many open files")

    async def sends(stream: Any) -> int:
        folder_fd = os.open(path.parent, os.O_RDONLY)
        file = File(os.dup(fd), folder_fd, path.name)
        monkeypatch.setattr(os, "dup", none_left)
        sent = await send_file(stream, file, 0, len(CONTENT))
        file.close()
        os.close(folder_fd)
        await stream.close()
        return sent

    reader = Reader()
    assert exchange(stack, sends, reader) == len(CONTENT)
    assert reader.received == CONTENT
    stack.close()
