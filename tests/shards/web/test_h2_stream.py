"""A stream of HTTP/2 by itself: nothing that happens while it flushes is missed."""

from collections.abc import Iterable
from typing import Any, cast

from gossamer import fail_after, run
from gossamer.core.clock import monotonic_us
from gossamer.core.http.client import parse_response
from gossamer.core.io.stream import Stream
from gossamer.shards.web.h2_stream import H2Stream

PUT = b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Carried:
    """The connection, and its frames: what happens at a flush is the test's."""

    def __init__(self) -> None:
        self.stream = cast("Stream", None)
        self.clock = monotonic_us
        self.parse = parse_response
        self.conversation = self
        self.at_flush: list[Any] = []
        self.held = False

    async def flush(self) -> None:
        if self.at_flush:
            self.at_flush.pop(0)()

    def respond(
        self, stream_id: int, status: int, fields: Iterable[tuple[str, str]], *, is_last: bool = False
    ) -> None: ...

    def send(self, _stream_id: int, _data: bytes, *, is_last: bool) -> None:
        assert is_last
        self.held = True

    def trail(self, stream_id: int, fields: Iterable[tuple[str, str]]) -> None: ...

    def is_held(self, _stream_id: int) -> bool:
        return self.held

    def reset(self, stream_id: int) -> None: ...

    def refuse(self, stream_id: int) -> None: ...

    def taken(self, stream_id: int, window_bytes: int) -> None: ...


def test_recv__what_comes_while_room_is_given_back__is_received() -> None:
    carried = Carried()
    stream = H2Stream(carried, 1, PUT)
    carried.at_flush.append(lambda: stream.feed(b"world", 5, has_ended=True))

    async def main() -> list[bytes]:
        stream.feed(b"hello", 5, has_ended=False)
        with fail_after(5):
            return [await stream.recv() for _ in range(3)]

    assert run(main()) == [PUT, b"hello", b"world"]


def test_send__windows_that_open_while_it_flushes__are_seen() -> None:
    carried = Carried()
    stream = H2Stream(carried, 1, PUT)

    def opens() -> None:
        carried.held = False
        stream.look()

    carried.at_flush.append(opens)

    async def main() -> None:
        with fail_after(5):
            await stream.send(ANSWER)

    run(main())
    assert not carried.at_flush


def test_send__reset_while_it_waits_for_windows__raises() -> None:
    carried = Carried()
    stream = H2Stream(carried, 1, PUT)
    carried.at_flush.append(stream.broke)

    async def main() -> str:
        try:
            with fail_after(5):
                await stream.send(ANSWER)
        except ConnectionResetError as error:
            return str(error)
        return ""

    assert "the stream was reset" in run(main())
