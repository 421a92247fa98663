"""A chat: whoever is in a room hears what is said there.

    python examples/chat.py 7000
    nc 127.0.0.1 7000           # twice; say who you are and where, as in "ada kitchen", then talk

Two threads in a nursery serve a client: one reads its lines, the other writes what stands in its outbox, a
bounded channel. Nobody waits for a client that does not read: when its outbox is full, it has to leave.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import NamedTuple

import gossamer

LINE_BYTES_MAX = 1024
OUTBOX_LINES_MAX = 100
CLIENTS_MAX = 1000
GREETING_SECONDS = 60
SEND_TIMEOUT_US = 30_000_000


class Member(NamedTuple):
    outbox: gossamer.Channel[bytes]
    scope: gossamer.CancelScope
    """Around all that is done for it."""


class Chat:
    """All rooms, and by their names who is in each."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, Member]] = {}

    def say(self, room: str, text: str) -> None:
        """Put a line into the outbox of everybody in a room. It never waits."""
        for member in self._rooms.get(room, {}).values():
            if not member.outbox.try_send(text.encode() + b"\n"):
                member.scope.cancel()

    @contextlib.contextmanager
    def entered(self, room: str, name: str, member: Member) -> Iterator[None]:
        """Be in a room from `with` to the end of it; a room that the last has left is gone."""
        self._rooms.setdefault(room, {})[name] = member
        self.say(room, f"* {name} comes")
        try:
            yield
        finally:
            del self._rooms[room][name]
            self.say(room, f"* {name} leaves")
            if not self._rooms[room]:
                del self._rooms[room]

    async def handler(self, stream: gossamer.Stream) -> None:
        """One client. When it returns the stream is closed, and a client that is gone is no error."""
        reader = gossamer.BufferedReader(stream, LINE_BYTES_MAX)
        words: list[str] = []
        await stream.send(b"Your name and a room?\n", SEND_TIMEOUT_US)
        with gossamer.move_on_after(GREETING_SECONDS), contextlib.suppress(gossamer.BoundExceeded):
            words = (await reader.readline()).decode("utf-8", "replace").split()
        if len(words) != 2 or words[0] in self._rooms.get(words[1], ()):
            await stream.send(b"No name and room, or somebody else's name.\n", SEND_TIMEOUT_US)
            return
        name, room = words
        async with gossamer.open_nursery() as nursery:
            member = Member(gossamer.Channel(OUTBOX_LINES_MAX), nursery.cancel_scope)
            nursery.start_soon(write, member.outbox, stream)
            with self.entered(room, name, member), contextlib.suppress(gossamer.BoundExceeded):
                async for line in reader:
                    self.say(room, f"{name}: {line.decode('utf-8', 'replace').rstrip()}")
            member.outbox.close()  # what stands in it is still written


async def write(outbox: gossamer.Channel[bytes], stream: gossamer.Stream) -> None:
    async for line in outbox:
        await stream.send(line, SEND_TIMEOUT_US)


async def main(port: int) -> None:
    async with gossamer.listen(("127.0.0.1", port)) as acceptor:
        print(f"chatting on 127.0.0.1 port {acceptor.local[1]}", flush=True)
        await gossamer.serve(acceptor, Chat().handler, connections_max=CLIENTS_MAX)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        gossamer.run(main(int(sys.argv[1])))
