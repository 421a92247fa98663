"""Memory of an idle keep-alive connection: open many, ask once on each, and see how the worker has grown.

Owns the opening and holding of the connections. The first ones are not counted: they pay for what is built
once.

    bytes per connection = (RSS with FIRST + count idle connections - RSS with FIRST) / count
"""

import resource
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from gossamer.loadtest.cpu import rss_bytes
from gossamer.loadtest.servers import Server, ServerError

FIRST: Final = 500
SETTLE_S: Final = 1.0
RECV_BYTES: Final = 65_536
DESCRIPTORS_KEPT: Final = 200

Entered = Callable[[], AbstractContextManager[None]]


def connections_possible(wanted: int) -> int:
    """How many sockets this process may hold, once its limit is raised as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(wanted, hard - DESCRIPTORS_KEPT - FIRST)


def open_idle(port: int, path: str, count: int) -> list[socket.socket]:
    """Connections that have each had one answer. Raises: ServerError."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    opened = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        opened.append(sock)
        sock.sendall(request)
        if not sock.recv(RECV_BYTES).startswith(b"HTTP/1.1 200"):
            raise ServerError(f"connection {len(opened)} was not answered with 200")
    return opened


def measure_idle(entered: Entered, server: Server, path: str, count: int) -> float:
    """Bytes of resident memory per idle connection. Raises: ServerError, OSError."""
    (pid,) = server.worker_pids()
    with entered():
        held = open_idle(server.port, path, FIRST)
        time.sleep(SETTLE_S)
        before = rss_bytes(pid)
        try:
            held += open_idle(server.port, path, count)
            time.sleep(SETTLE_S)
            return (rss_bytes(pid) - before) / count
        finally:
            for sock in held:
                sock.close()
