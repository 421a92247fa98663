"""A server with a long conversation: it adds up the numbers that a client sends, a line each.

    python examples/adder.py 7000
    gossamer serve examples.adder:handler          # its conversations outlive its workers
    nc 127.0.0.1 7000                              # 2, then 3: it says 2, then 5

Under `gossamer serve` a conversation goes on when its worker is replaced, by `gossamer reload` or another
number of workers, on the same connection: `save` says what one is about, `restore` goes on from there. So
what matters of a conversation stands in `Conversation`, and nothing of it in local variables alone.
"""

import contextlib
import sys

import gossamer

LINE_BYTES_MAX = 100
CONNECTIONS_MAX = 10_000
SEND_TIMEOUT_US = 30_000_000


class Conversation:
    """What one is about."""

    def __init__(self, total: int = 0, begun: bytes = b"") -> None:
        self.total = total
        self.begun = begun
        """The part of a line that has come."""

    def hear(self, data: bytes) -> bytes:
        """What is said to this. Raises: ValueError for what is no number."""
        *lines, self.begun = (self.begun + data).split(b"\n")
        if len(self.begun) > LINE_BYTES_MAX:
            raise ValueError("a long line")
        answers = []
        for line in lines:
            self.total += int(line[:LINE_BYTES_MAX])
            answers.append(b"%d\n" % self.total)
        return b"".join(answers)


class Adder:
    """The handler of all connections."""

    def __init__(self) -> None:
        self._conversations: dict[gossamer.Stream, Conversation] = {}

    async def __call__(self, stream: gossamer.Stream) -> None:
        """A connection from its beginning."""
        await self._talk(stream, Conversation())

    def save(self, stream: gossamer.Stream) -> object:
        """What a connection is about whose thread waits in recv or send; what is unsent goes along."""
        conversation = self._conversations[stream]
        return [conversation.total, conversation.begun]

    async def restore(self, stream: gossamer.Stream, value: list[object]) -> None:
        """A connection that another worker has begun."""
        total, begun = value
        assert isinstance(total, int)
        assert isinstance(begun, bytes)
        await self._talk(stream, Conversation(total, begun))

    async def _talk(self, stream: gossamer.Stream, conversation: Conversation) -> None:
        self._conversations[stream] = conversation
        try:
            with contextlib.suppress(gossamer.Draining):
                async for data in stream:
                    await stream.send(conversation.hear(data), SEND_TIMEOUT_US)
        except ValueError:
            await stream.send(b"That is no number.\n", SEND_TIMEOUT_US)
        finally:
            del self._conversations[stream]  # also when it goes elsewhere: nothing can be awaited here


handler = Adder()


async def main(port: int) -> None:
    async with gossamer.listen(("127.0.0.1", port)) as acceptor:
        print(f"adding on 127.0.0.1 port {acceptor.local[1]}", flush=True)
        await gossamer.serve(acceptor, handler, connections_max=CONNECTIONS_MAX)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        gossamer.run(main(int(sys.argv[1])))
