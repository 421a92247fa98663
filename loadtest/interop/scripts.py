"""What the two ends do: small scripts over the one interface of a stream, on whatever stack it stands.

Owns no expectation: right is what the kernel's TCP shows at both ends, unless a stated reason says otherwise.
"""

from gossamer.core.threads.nursery import open_nursery
from gossamer.loadtest.interop.observed import ObservedEnd, content

BULK_BYTES = 1_000_000
SMALL_WRITES = 300
OVERFLOW_BYTES = 2_500_000
"""More than a receive buffer holds that nobody reads, on either stack."""
SETTLE_MS = 400
CUT_MS = 2_000
"""By then a link that is cut has been."""


async def echo(end: ObservedEnd) -> None:
    """Send back all that comes, then close."""
    await end.echo()
    await end.close()


async def ask(end: ObservedEnd) -> None:
    """Requests of many sizes, each answered before the next."""
    for size in (1, 100, 1_460, 1_461, 5_000, 65_536):
        await end.send(content(size, "ask"))
        await end.receive(size)
    await end.close()


async def upload(end: ObservedEnd) -> None:
    """Much, then the end; the answer is the end too."""
    await end.send(content(BULK_BYTES, "up"))
    await end.shutdown()
    await end.receive_all()
    await end.close()


async def swallow(end: ObservedEnd) -> None:
    """All that comes, then close."""
    await end.receive_all()
    await end.close()


async def both_ways(end: ObservedEnd) -> None:
    """Much in each direction at once."""
    async with open_nursery() as nursery:
        nursery.start_soon(end.send, content(BULK_BYTES, "both"))
        await end.receive(BULK_BYTES)
    await end.shutdown()
    await end.receive_all()
    await end.close()


async def half_close(end: ObservedEnd) -> None:
    """A question, our end, and only then the answer."""
    await end.send(content(5_000, "question"))
    await end.shutdown()
    await end.receive_all()
    await end.close()


async def answer_after_end(end: ObservedEnd) -> None:
    """Wait for the other's end; the direction back stays open."""
    await end.receive_all()
    await end.pause(SETTLE_MS)
    await end.send(content(100_000, "answer"))
    await end.close()


async def send_after_own_end(end: ObservedEnd) -> None:
    """What is sent after a half-close is refused here, and what comes still arrives."""
    await end.send(content(100, "last words"))
    await end.shutdown()
    await end.send(b"more")
    await end.receive_all()
    await end.close()


async def close_first(end: ObservedEnd) -> None:
    """Say something and close at once."""
    await end.send(content(1_000, "bye"))
    await end.close()


async def end_together(end: ObservedEnd) -> None:
    """Both say the same and end at once."""
    await end.send(content(1_000, "together"))
    await end.receive(1_000)
    await end.shutdown()
    await end.receive_all()
    await end.close()


async def abort_after_answer(end: ObservedEnd) -> None:
    """One answered question, then a RST; receiving afterwards shows what a user gets."""
    await end.send(content(1_000, "abort"))
    await end.receive(1_000)
    await end.abort()


async def abort_with_unread(end: ObservedEnd) -> None:
    """Data and then a RST, before the other has read."""
    await end.send(content(10_000, "unread"))
    await end.pause(SETTLE_MS)
    await end.abort()


async def read_late(end: ObservedEnd) -> None:
    """Read when all has happened already."""
    await end.pause(3 * SETTLE_MS)
    await end.receive_all()
    await end.send(b"after the end")
    await end.close()


async def close_with_unread(end: ObservedEnd) -> None:
    """Close orderly although data stands unread."""
    await end.pause(SETTLE_MS)
    await end.close()


async def write_and_wait(end: ObservedEnd) -> None:
    """Send, and wait for what comes of it."""
    await end.send(content(10_000, "write"))
    await end.receive_all()
    await end.close()


async def close_at_once(end: ObservedEnd) -> None:
    """No word."""
    await end.close()


async def write_to_closed(end: ObservedEnd) -> None:
    """The other end has closed: its end of stream comes, the first write is answered by a RST."""
    await end.pause(SETTLE_MS)
    await end.receive_all()
    for _ in range(2):
        await end.send(b"to nobody")
        await end.pause(SETTLE_MS)
    await end.close()


async def pour(end: ObservedEnd) -> None:
    """More than all buffers hold."""
    await end.send(content(OVERFLOW_BYTES, "pour"))
    await end.shutdown()
    await end.receive_all()
    await end.close()


async def drink_late(end: ObservedEnd) -> None:
    """Read nothing until the window has long been closed."""
    await end.pause(4 * SETTLE_MS)
    await end.receive_all()
    await end.close()


async def idle(end: ObservedEnd) -> None:
    """Long enough for keepalive probes, then talk."""
    await end.send(b"before")
    await end.receive(6)
    await end.pause(2_600)
    await end.send(b"after")
    await end.receive(5)
    await end.close()


async def dribble(end: ObservedEnd) -> None:
    """Many small writes."""
    written = content(7 * SMALL_WRITES, "dribble")
    for at in range(0, len(written), 7):
        await end.send(written[at : at + 7])
    await end.shutdown()
    await end.receive_all()
    await end.close()


async def impatient(end: ObservedEnd) -> None:
    """A receive that times out leaves the stream usable."""
    await end.receive(1, 100_000)
    await end.send(b"go on")
    await end.receive(5)
    await end.close()


async def urge(end: ObservedEnd) -> None:
    """Urgent data between other data, once the other end is ready for it."""
    await end.receive(2)
    await end.send(b"before ")
    await end.send_urgent(b"!")
    await end.send(b" after")
    await end.receive_all()
    await end.close()


async def be_urged(end: ObservedEnd) -> None:
    """Look for the mark, then read all in line."""
    end.take_urgent_in_line()
    await end.send(b"go")
    await end.pause(SETTLE_MS)
    await end.note_urgent()
    await end.receive(14)
    await end.note_urgent()
    await end.close()


async def into_the_void(end: ObservedEnd) -> None:
    """One answer; then the link is cut, and what is sent is never acknowledged."""
    await end.send(b"before")
    await end.receive(6)
    await end.pause(CUT_MS)
    await end.send(b"into the void")
    await end.receive(1)
    await end.send(b"after the end")
    await end.close()


async def listen_to_silence(end: ObservedEnd) -> None:
    """One answer; then the link is cut, and nothing is sent at all."""
    await end.send(b"before")
    await end.receive(6)
    await end.receive(1)
    await end.send(b"after the end")
    await end.close()


async def outlive(end: ObservedEnd) -> None:
    """One answer, and no more until all is over."""
    await end.receive(6)
    await end.send(b"before")
    await end.pause(3 * CUT_MS)
    await end.abort()
