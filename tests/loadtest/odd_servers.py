"""Servers that a load generator meets, one behaviour each, as a table of what they do with a request.

Owns the table and the threads that play it: blocking sockets, so that nothing of ours is on both sides.
"""

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Final

IDLE_S: Final = 20.0
LINGER_NONE: Final = struct.pack("ii", 1, 0)


class End(Enum):
    """What ends an answer."""

    KEEP = auto()
    CLOSE = auto()
    RESET = auto()
    SILENCE = auto()
    """Nothing more comes, until the client is gone."""


Step = bytes | float | End
"""Octets to send, seconds to wait, or the end."""


def head(*fields: str, line: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([line, *fields, "", ""]).encode()


def sized(body: bytes, *fields: str, line: str = "HTTP/1.1 200 OK") -> bytes:
    return head(f"Content-Length: {len(body)}", *fields, line=line) + body


GOOD = sized(b"ok")
CHUNKS = b"5;name=value\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n"

ODD: Final[dict[str, tuple[Step, ...]]] = {
    "good": (GOOD, End.KEEP),
    "closes and says so": (sized(b"ok", "Connection: close"), End.CLOSE),
    "closes and does not say so": (GOOD, End.CLOSE),
    "closes without an answer": (End.CLOSE,),
    "resets without an answer": (End.RESET,),
    "resets in a body": (head("Content-Length: 9000") + b"x" * 500, 0.02, End.RESET),
    "closes in a body": (head("Content-Length: 9000") + b"x" * 500, End.CLOSE),
    "chunks": (head("Transfer-Encoding: chunked") + CHUNKS, End.KEEP),
    "body until it closes": (head() + b"to the end", End.CLOSE),
    "HTTP/1.0": (sized(b"ok", line="HTTP/1.0 200 OK"), End.CLOSE),
    "HTTP/1.0 that lives on": (sized(b"ok", "Connection: keep-alive", line="HTTP/1.0 200 OK"), End.KEEP),
    "never answers": (End.SILENCE,),
    "stops in a body": (head("Content-Length: 100") + b"abc", End.SILENCE),
    "another protocol": (b"SSH-2.0-server_1\r\n", End.SILENCE),
    "a length that is none": (head("Content-Length: many"), End.KEEP),
    "octets behind the answer": (GOOD + b"and more", End.KEEP),
    "redirects": (sized(b"", "Location: /there", line="HTTP/1.1 302 Found"), End.KEEP),
    "404": (sized(b"no", line="HTTP/1.1 404 Not Found"), End.KEEP),
    "503": (sized(b"no", line="HTTP/1.1 503 Busy"), End.KEEP),
    "status 999": (sized(b"?", line="HTTP/1.1 999 Odd"), End.KEEP),
    "slow": (0.2, GOOD, End.KEEP),
    "lines end in LF": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", End.KEEP),
    "an interim answer first": (head("Link: </a>", line="HTTP/1.1 103 Early Hints") + GOOD, End.KEEP),
    "a body in drops": (
        head("Content-Length: 4"),
        *itertools.chain.from_iterable((b"x", 0.05) for _ in range(4)),
        End.KEEP,
    ),
    "a head without end": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", End.KEEP),
    "drops slower than patience": (head("Content-Length: 60"), *((b"x", 0.05) * 60), End.KEEP),
}
"""Each request is answered by these steps."""


def play(sock: socket.socket, steps: Sequence[Step]) -> None:
    """Answer each request on one connection."""
    with sock, contextlib.suppress(OSError):
        sock.settimeout(IDLE_S)
        while read_head(sock):
            for step, following in zip(steps, (*steps[1:], End.KEEP), strict=True):
                if isinstance(step, bytes):
                    # The FIN rides on the octets before it, so that no request comes in between.
                    sock.sendall(step, socket.MSG_MORE if following is End.CLOSE else 0)
                elif isinstance(step, float):
                    time.sleep(step)
                elif step is not End.KEEP:
                    end(sock, step)
                    return


def read_head(sock: socket.socket) -> bool:
    """Whether a request came."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(4096)
        if not data:
            return False
        received += data
    return True


def end(sock: socket.socket, how: End) -> None:
    """Close or be silent, until the client is gone; or reset at once."""
    if how is End.RESET:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        return
    if how is End.CLOSE:
        sock.shutdown(socket.SHUT_WR)
    while sock.recv(4096):
        pass


@contextlib.contextmanager
def odd_server(steps: Sequence[Step]) -> Iterator[str]:
    """The URL of a server that plays these steps, while the block runs."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=accept_all, args=(listener, steps), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def accept_all(listener: socket.socket, steps: Sequence[Step]) -> None:
    """A thread for each connection, until the listener is shut down."""
    with contextlib.suppress(OSError):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=play, args=(sock, steps), daemon=True).start()
