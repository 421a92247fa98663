"""A socket that hears nothing: over loopback, with no right at all."""

import errno
import socket
from collections.abc import Iterator

import pytest

from gossamer.ffi.silence import SO_ATTACH_FILTER, drop_all_received


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """A listening socket that hears nothing."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        drop_all_received(made)
        made.listen(1)
        yield made


@pytest.mark.needs("socket-filters")
def test_syn__to_a_deaf_listener__neither_accepted_nor_refused(deaf: socket.socket) -> None:
    with socket.socket() as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.connect(deaf.getsockname())
    deaf.setblocking(False)
    with pytest.raises(BlockingIOError):
        deaf.accept()


@pytest.mark.needs("socket-filters")
def test_port__of_a_deaf_listener__is_taken(deaf: socket.socket) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(deaf.getsockname())


@pytest.mark.needs("socket-filters")
def test_filter__of_a_deaf_listener__stays(deaf: socket.socket) -> None:
    with pytest.raises(PermissionError) as caught:
        deaf.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER + 1, 0)
    assert caught.value.errno == errno.EPERM


def test_listener__without_the_filter__answers() -> None:
    """What the tests above would see if it did nothing."""
    with socket.create_server(("127.0.0.1", 0)) as open_to_all:
        socket.create_connection(open_to_all.getsockname(), timeout=5).close()
