"""accept4: a non-blocking descriptor, or the reason."""

import errno
import os
import socket

from gossamer.ffi.accept import accept_nonblocking


def test_connection_waits__non_blocking_and_closed_on_exec() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        fd = accept_nonblocking(listener.fileno())
        assert not os.get_blocking(fd)
        assert not os.get_inheritable(fd)
        with socket.socket(fileno=fd) as accepted:
            assert accepted.getpeername() == client.getsockname()


def test_no_connection__eagain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        assert accept_nonblocking(listener.fileno()) == -errno.EAGAIN


def test_no_descriptor__ebadf() -> None:
    assert accept_nonblocking(1_000_000) == -errno.EBADF
