"""An example of a native handler, `gossamer serve gossamer.shards.web.digest:handler`: it answers an upload
with its SHA-256.

A native handler is an async function of a stream; one thread runs it for every connection. This one reads the
body of PUT and POST (by Content-Length or chunked, after 100 (Continue) when that is awaited) piece by piece,
keeps none of it, and answers `{"sha256": "...", "bytes": n}`.
"""

from hashlib import sha256
from typing import Final

from gossamer.core.clock import monotonic_us
from gossamer.core.http.reader import RequestReader
from gossamer.core.http.request import Refusal, Request, RequestParser
from gossamer.core.http.response import CLOSE, CONTINUE, REASONS, response_head
from gossamer.core.io.stream import Stream
from gossamer.shards.web.inbox import Inbox, PeerLeftError
from gossamer.shards.web.options import DEFAULT_OPTIONS

UPLOAD_METHODS: Final = ("PUT", "POST")

parse = RequestParser()


async def handler(stream: Stream) -> None:
    """Serve one connection."""
    inbox = Inbox(stream, RequestReader(parse), DEFAULT_OPTIONS, monotonic_us)
    try:
        while (request := await inbox.next_request()) is not None:
            answered = await answer(inbox, request)
            if isinstance(answered, Refusal):
                await refuse(inbox, answered, isinstance(request, Request) and request.method == "HEAD")
                break
            if not answered:
                break
        await stream.close()
    except PeerLeftError:
        await stream.close()
    except OSError:
        await stream.abort()


async def answer(inbox: Inbox, request: Request | Refusal) -> bool | Refusal:
    """Digest one upload; whether the connection lives on, or what it is refused for."""
    if isinstance(request, Refusal):
        return request
    if request.method not in UPLOAD_METHODS:
        return Refusal(405, "only uploads are taken here")
    if request.expects_continue and not inbox.reader.has_input:
        await inbox.stream.send(CONTINUE, DEFAULT_OPTIONS.write_timeout_us)
    digest = sha256()
    while data := await inbox.next_body():
        if isinstance(data, Refusal):
            return data
        digest.update(data)
    body = f'{{"sha256": "{digest.hexdigest()}", "bytes": {inbox.body_bytes_total}}}\n'.encode("ascii")
    keep_alive = request.keep_alive and not inbox.is_draining
    await send(inbox.stream, 200, "application/json", body, keep_alive)
    return keep_alive


async def refuse(inbox: Inbox, refusal: Refusal, is_head: bool) -> None:
    """Answer with an error that ends the connection."""
    body = b"" if is_head else f"{refusal.status} {REASONS[refusal.status]}\n".encode("ascii")
    await send(inbox.stream, refusal.status, "text/plain; charset=utf-8", body, keep_alive=False)
    await inbox.linger()


async def send(stream: Stream, status: int, media_type: str, body: bytes, keep_alive: bool) -> None:
    """Send a whole response."""
    fields = [("Content-Type", media_type), ("Content-Length", str(len(body)))]
    if status == 405:
        fields.append(("Allow", ", ".join(UPLOAD_METHODS)))
    if not keep_alive:
        fields.append(CLOSE)
    await stream.send(response_head(status, fields) + body, DEFAULT_OPTIONS.write_timeout_us)
