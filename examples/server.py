"""A server: every GET is answered with one line; after SIGTERM clients may finish what they have begun.

    python examples/server.py 8080                 # over kernel sockets
    gossamer serve examples.server:handler         # the same in worker processes; as root over our own TCP
    curl http://127.0.0.1:8080/

A template: put an `answer` of your own in. `handler` is all that a connection needs, `main` the program
around it. Requests with a body are refused; for HTTP in full there is `gossamer serve FOLDER`.
"""

import contextlib
import re
import signal
import sys

import gossamer

HEAD_BYTES_MAX = 8192
CONNECTIONS_MAX = 10_000
IDLE_SECONDS = 30
SEND_TIMEOUT_US = 30_000_000
DRAIN_SECONDS = 10

GET = re.compile(rb"GET (?P<path>/[!-~]*) HTTP/1\.1\r\n")
WITH_BODY = re.compile(rb"\r\n(content-length|transfer-encoding):", re.IGNORECASE)


def answer(path: str) -> str:
    """What a client gets. Nothing here may block: `await sys_blio(function)` is for what does."""
    return f"You asked for {path}\n"


async def handler(stream: gossamer.Stream) -> None:
    """One connection. When it returns the stream is closed, and a client that is gone is no error."""
    reader = gossamer.BufferedReader(stream, HEAD_BYTES_MAX)
    while await respond(reader, stream):
        pass


async def respond(reader: gossamer.BufferedReader, stream: gossamer.Stream) -> bool:
    """Answer one request; whether another may follow."""
    head = b""
    with (
        gossamer.move_on_after(IDLE_SECONDS),
        contextlib.suppress(gossamer.IncompleteReadError, gossamer.BoundExceeded),
    ):
        head = await reader.readuntil(b"\r\n\r\n")
    if not head:
        return False  # idle for too long, or the end, or more than a head may have
    request = None if WITH_BODY.search(head) else GET.match(head)
    if request is None:
        await stream.send(response("501 Not Implemented", "Only GET is.\n"), SEND_TIMEOUT_US)
        return False
    await stream.send(response("200 OK", answer(request["path"].decode())), SEND_TIMEOUT_US)
    return True


def response(status: str, text: str) -> bytes:
    body = text.encode()
    end = "" if status.startswith("200") else "Connection: close\r\n"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{end}\r\n".encode() + body


async def end_on_sigterm(acceptor: gossamer.Acceptor, connections: gossamer.CancelScope) -> None:
    with gossamer.SignalSocket([signal.SIGTERM]) as signals:
        await anext(signals)
    await acceptor.close()  # `serve` returns when the last connection has ended
    await gossamer.sleep(DRAIN_SECONDS)
    connections.cancel()


async def main(port: int) -> None:
    async with gossamer.listen(("127.0.0.1", port)) as acceptor, gossamer.open_nursery() as nursery:
        nursery.start_soon(end_on_sigterm, acceptor, nursery.cancel_scope)
        print(f"serving on http://127.0.0.1:{acceptor.local[1]}/", flush=True)
        await gossamer.serve(acceptor, handler, connections_max=CONNECTIONS_MAX)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        gossamer.run(main(int(sys.argv[1])))
