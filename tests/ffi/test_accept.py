"""accept4: a non-blocking descriptor and the peer's address, or the reason."""

import errno
import os
import socket

import pytest

from gossamer.ffi.accept import NAME_BYTES, PeerName, accept_nonblocking, read_name


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_connection_waits__non_blocking_and_closed_on_exec__and_the_peer_is_known(
    family: socket.AddressFamily, host: str
) -> None:
    name = PeerName()
    with socket.create_server((host, 0), family=family) as listener, socket.socket(family) as client:
        client.connect(listener.getsockname())
        fd = accept_nonblocking(listener.fileno(), name)
        assert not os.get_blocking(fd)
        assert not os.get_inheritable(fd)
        with socket.socket(fileno=fd) as accepted:
            assert accepted.getpeername() == client.getsockname()
        assert read_name(name.take()) == client.getsockname()[:2]


def test_no_connection__eagain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        assert accept_nonblocking(listener.fileno(), PeerName()) == -errno.EAGAIN


def test_no_descriptor__ebadf() -> None:
    assert accept_nonblocking(1_000_000, PeerName()) == -errno.EBADF


@pytest.mark.parametrize(
    "octets",
    [
        socket.AF_UNIX.to_bytes(2, "little"),
        socket.AF_INET6.to_bytes(2, "little") + bytes(6) + socket.inet_pton(socket.AF_INET6, "fe80::1"),
    ],
    ids=["another family", "link-local"],
)
def test_read_name__the_kernel_has_to_be_asked__none(octets: bytes) -> None:
    assert read_name(octets.ljust(NAME_BYTES, b"\0")) is None
