"""Where an upload ends in a comparison: `gossamer serve gossamer.loadtest.web.sink:handler`.

A native handler that reads a body piece by piece, keeps and digests nothing, and answers with its length: as
cheap as the other servers' applications, so that what is measured is what carries the octets here.
"""

from typing import Final

from gossamer.core.clock import monotonic_us
from gossamer.core.http.reader import RequestReader
from gossamer.core.http.request import Refusal, Request, RequestParser
from gossamer.core.http.response import response_head
from gossamer.core.io.stream import Stream
from gossamer.shards.web.inbox import Inbox, PeerLeftError
from gossamer.shards.web.options import DEFAULT_OPTIONS

parse: Final = RequestParser()


async def handler(stream: Stream) -> None:
    """Serve one connection."""
    inbox = Inbox(stream, RequestReader(parse), DEFAULT_OPTIONS, monotonic_us)
    try:
        while isinstance(request := await inbox.next_request(), Request):
            if not await drain(inbox):
                break
            await stream.send(length_answer(inbox.body_bytes_total))
            if not request.keep_alive:
                break
        await stream.close()
    except (PeerLeftError, OSError):
        await stream.abort()


async def drain(inbox: Inbox) -> bool:
    """Read a body to its end; whether it came there."""
    while data := await inbox.next_body():
        if isinstance(data, Refusal):
            return False
    return True


def length_answer(length: int) -> bytes:
    """The answer to so many octets."""
    body = b"%d\n" % length
    return response_head(200, [("Content-Length", str(len(body)))]) + body
