"""What clients meet when a server dies a part at a time: the supervisor, then everything; on both stacks."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import RIGHT_V4, RIGHT_V6, Namespace
from gossamer.loadtest.servers import Gossamer
from gossamer.shards.rundir.rundir import read_state

from .reaching import REFUSED, SILENCE_S, request

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7896
GONE_S = 20.0
NOTICED_S = 1.0
"""A worker hears of its supervisor's end as the kernel closes what that held, some milliseconds later."""
Spaces = tuple[Namespace, Namespace]
Start = Callable[..., Gossamer]


@contextlib.contextmanager
def connected(client: Namespace) -> Iterator[socket.socket]:
    """A connection to the server that takes little at a time."""
    with client.entered(), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        connection.settimeout(10)
        connection.connect((RIGHT_V4, PORT))
        yield connection


def read_answer(connection: socket.socket) -> bytes:
    """To the end of the stream."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def supervisor_of(server: Gossamer) -> int:
    pid: int = server.status()["pid"]
    return pid


def kill_supervision(server: Gossamer) -> None:
    """Kill the supervisor, and the keeper that would go on without one."""
    state = read_state(server.run_dir)
    assert state is not None
    assert state.keeper is not None
    for process in (state.owner, state.keeper):
        os.kill(process.pid, signal.SIGKILL)


def test_supervisor_and_keeper_killed__answer_under_way__arrives_whole_and_the_next_client_is_refused(
    joined_namespaces: Spaces, site: Path, files: dict[str, bytes], start: Start, stack: str
) -> None:
    client, place = joined_namespaces
    server = start(place, site, stack=stack, port=PORT)
    with connected(client) as connection:
        connection.send(b"GET /large.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        begun = connection.recv(1000)
        kill_supervision(server)
        give_up = time.monotonic() + NOTICED_S
        while request(client, f"http://{RIGHT_V4}:{PORT}/", REFUSED) != REFUSED:
            assert time.monotonic() < give_up, "the next client is not refused"
        answer = begun + read_answer(connection)
    assert answer.partition(b"\r\n\r\n")[2] == files["large.bin"]


def kill_all_of(server: Gossamer, place: Namespace) -> None:
    """The supervisor first, or it would start others."""
    for pid in (supervisor_of(server), *server.pids()):
        os.kill(pid, signal.SIGKILL)
    give_up = time.monotonic() + GONE_S
    while place.pids():
        assert time.monotonic() < give_up, "they live on"
        time.sleep(0.02)


def test_all_killed__peer_that_sends_is_reset_and_the_next_client_refused_at_once(
    joined_namespaces: Spaces, site: Path, start: Start, stack: str
) -> None:
    """On kernel sockets the peer gets a RST at once, here when it sends, as docs/firewall.md says."""
    client, place = joined_namespaces
    server = start(place, site, stack=stack, port=PORT, host="::", workers=2)
    with connected(client) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000)
        kill_all_of(server, place)
        for address in (RIGHT_V4, f"[{RIGHT_V6}]"):
            asked = time.monotonic()
            assert request(client, f"http://{address}:{PORT}/", REFUSED) == REFUSED, address
            assert time.monotonic() - asked < SILENCE_S, address
        with pytest.raises(ConnectionError):
            send_on(connection)


def send_on(connection: socket.socket) -> None:
    """Until it is refused."""
    while True:
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.05)
