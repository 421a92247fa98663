"""A listening socket in a selector's loop, and a process out of descriptors."""

import errno
import selectors
import socket
from pathlib import Path

import pytest

from gossamer.core.clock import monotonic_us
from gossamer.core.loop.sock.no_room import ACCEPT_PAUSE_US
from gossamer.shards.rundir.accepting import SelectorListener


class FullListener(socket.socket):
    """A listening socket of a process that has no room for a connection, for as long as `error` is set."""

    error = errno.EMFILE
    tries = 0

    def accept(self) -> tuple[socket.socket, object]:
        type(self).tries += 1
        if self.error:
            raise OSError(self.error, "no room")
        return super().accept()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_accept__no_room__rests_and_goes_on(tmp_path: Path, number: int) -> None:
    with FullListener(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        FullListener.tries, listening.error = 0, number
        listening.bind(str(tmp_path / "l"))
        listening.listen()
        client.connect(str(tmp_path / "l"))
        taken: list[socket.socket] = []
        selector = selectors.DefaultSelector()
        listener = SelectorListener(listening, selector, taken.append)
        for _ in range(5):
            for key, _ in selector.select(0):
                key.data()
            listener.tick(monotonic_us())
        assert FullListener.tries == 1, "it asks again and again"
        listening.error = 0
        listener.tick(monotonic_us() + ACCEPT_PAUSE_US)
        for key, _ in selector.select(0):
            key.data()
        assert len(taken) == 1
        taken[0].close()
        listener.close()
        assert not selector.get_map()


def test_close__while_it_rests__nothing_is_left(tmp_path: Path) -> None:
    with FullListener(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "l"))
        listening.listen()
        client.connect(str(tmp_path / "l"))
        selector = selectors.DefaultSelector()
        listener = SelectorListener(listening, selector, lambda _: None)
        for key, _ in selector.select(0):
            key.data()
        listener.close()
        listener.tick(monotonic_us() + 10 * ACCEPT_PAUSE_US)
        assert not selector.get_map()
