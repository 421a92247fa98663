"""How the Python peers are started."""

import socket

from gossamer.loadtest.servers import LocalMachine
from gossamer.loadtest.web.python_peers import ARGUMENTS, listening


def test_listening__what_is_accepted__holds_no_small_segment_back() -> None:
    """As on the sockets that the peers open themselves, so that none of them waits for a delayed ACK."""
    with listening(LocalMachine(), 0, ARGUMENTS["uvicorn"]) as (fd,), socket.socket(fileno=fd) as listener:
        with socket.create_connection(("127.0.0.1", listener.getsockname()[1])):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        listener.detach()


def test_listening__who_takes_none__gets_none() -> None:
    with listening(LocalMachine(), 0, ARGUMENTS["granian"]) as none:
        assert none == ()
