"""The client of WebSocket echoes: `python -P -m gossamer.loadtest.web.echo_client HOST PORT SECONDS SOCKETS
PID...`.

Each WebSocket sends a message, waits for its echo, and sends the next. It is as cheap as a program in Python
can be, a frame that is made once, so that what is measured is the server; and it prints its figures as the
script of `wrk.py` does. CPU time is that of the messages alone, of these processes of the server and its own:
a handshake costs as much as tens of them.

Owns that client. Source: RFC 6455 1.3, 5.2; it compresses nothing, since it offers no extension.
"""

import contextlib
import json
import select
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

from gossamer.loadtest.cpu import processes_ns
from gossamer.loadtest.web.rows import MESSAGE_BYTES

MASK: Final = b"\x11\x22\x44\x88"
TEXT: Final = b"g" * MESSAGE_BYTES
REQUEST: Final = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPTED: Final = b"HTTP/1.1 101 "
HEAD_END: Final = b"\r\n\r\n"
PATIENCE_S: Final = 5.0
"""For whatever is waited for."""
TEXT_FRAME: Final = 0x81
CLOSE_FRAME: Final = 0x88
IS_MASKED: Final = 0x80
NORMAL_CLOSURE: Final = (1000).to_bytes(2)
RECV_BYTES: Final = 4096


def masked(first: int, payload: bytes) -> bytes:
    """A frame of a client's, of at most 125 octets."""
    cover = MASK * (len(payload) // len(MASK) + 1)
    hidden = bytes(octet ^ mask for octet, mask in zip(payload, cover, strict=False))
    return bytes([first, IS_MASKED | len(payload)]) + MASK + hidden


MESSAGE: Final = masked(TEXT_FRAME, TEXT)
ECHO: Final = bytes([TEXT_FRAME, len(TEXT)]) + TEXT
CLOSE: Final = masked(CLOSE_FRAME, NORMAL_CLOSURE)


def echo_argv(host: str, port: int, seconds: int, connections: int, pids: Sequence[int]) -> list[str]:
    """The command line; `pids` are the server's processes."""
    words = [host, *map(str, (port, seconds, connections, *pids))]
    return [sys.executable, "-P", "-m", "gossamer.loadtest.web.echo_client", *words]


def opened(host: str, port: int, count: int) -> list[socket.socket]:
    """So many WebSockets. Raises: OSError, ConnectionError where a handshake was refused."""
    socks = [asking(host, port) for _ in range(count)]
    for sock in socks:
        head = b""
        while HEAD_END not in head and (data := sock.recv(RECV_BYTES)):
            head += data
        if not head.startswith(ACCEPTED):
            raise ConnectionError(f"no WebSocket: {head[:100]!r}")
    return socks


def asking(host: str, port: int) -> socket.socket:
    """One whose handshake is under way: where all are so at once, none waits for the last. Raises:
    OSError."""
    sock = socket.create_connection((host, port), PATIENCE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(REQUEST)
    return sock


class Echoes:
    """What the WebSockets of one run have said and heard. Bounds: one message each on its way."""

    def __init__(self, sockets: list[socket.socket], pids: Sequence[int] = ()) -> None:
        self.pids = pids
        self.server_ns = 0
        self.client_ns = 0
        self.sockets = {sock.fileno(): sock for sock in sockets}
        self.heard = dict.fromkeys(self.sockets, b"")
        """Of each, what has come of its echo."""
        self.sent_ns = dict.fromkeys(self.sockets, 0)
        self.latencies_ns: list[int] = []
        self.errors = 0

    def run(self, seconds: float) -> float:
        """Echo for so long; how long it was. Raises: OSError."""
        server_ns, client_ns = processes_ns(self.pids), time.process_time_ns()
        started_ns = time.perf_counter_ns()
        until_ns = started_ns + round(seconds * 1e9)
        with select.epoll() as poll:
            for fd in self.sockets:
                poll.register(fd, select.EPOLLIN)
                self.say(fd)
            while (now_ns := time.perf_counter_ns()) < until_ns and self.sockets:
                for fd, _ in poll.poll((until_ns - now_ns) / 1e9):
                    self.hear(fd)
        elapsed_s = (time.perf_counter_ns() - started_ns) / 1e9
        self.server_ns = processes_ns(self.pids) - server_ns
        self.client_ns = time.process_time_ns() - client_ns
        return elapsed_s

    def say(self, fd: int) -> None:
        """Send one message."""
        self.sent_ns[fd] = time.perf_counter_ns()
        self.sockets[fd].sendall(MESSAGE)

    def hear(self, fd: int) -> None:
        """Take what has come; once it is the echo, go on. Whoever says anything else is left."""
        heard = self.heard[fd] + self.sockets[fd].recv(RECV_BYTES)
        if heard == ECHO:
            self.latencies_ns.append(time.perf_counter_ns() - self.sent_ns[fd])
            self.heard[fd] = b""
            self.say(fd)
        elif ECHO.startswith(heard) and len(heard) > len(self.heard[fd]):
            self.heard[fd] = heard
        else:
            print(f"no echo: {heard[:100]!r}", file=sys.stderr)
            self.errors += 1
            self.sockets.pop(fd).close()

    def end(self) -> None:
        """Close them, and hear each peer out, for a time."""
        for sock in self.sockets.values():
            with contextlib.suppress(OSError):
                sock.sendall(CLOSE)
        for sock in self.sockets.values():
            with contextlib.suppress(OSError), sock:
                while sock.recv(RECV_BYTES):
                    pass


def figures(echoes: Echoes, seconds: float) -> str:
    """The line that `wrk.parse_wrk` reads."""
    ranked = sorted(echoes.latencies_ns)

    def rank(share: float) -> float:
        return ranked[min(len(ranked) - 1, int(len(ranked) * share))] / 1_000 if ranked else 0

    found = {
        "requests": len(ranked),
        "duration_us": round(seconds * 1e6),
        "errors": echoes.errors,
        "p50": rank(0.5),
        "p99": rank(0.99),
        "p99_9": rank(0.999),
        "server_ns": echoes.server_ns,
        "client_ns": echoes.client_ns,
    }
    return f"figures {json.dumps(found)}"


def main(host: str, port: str, seconds: str, connections: str, *pids: str) -> None:
    """Raises: OSError."""
    echoes = Echoes(opened(host, int(port), int(connections)), [int(pid) for pid in pids])
    elapsed_s = echoes.run(float(seconds))
    print(figures(echoes, elapsed_s), flush=True)
    echoes.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
