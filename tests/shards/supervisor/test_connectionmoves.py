"""Connections go from worker to worker on either stack, and whoever is connected notices nothing."""

import os
import signal
import socket
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from ..conftest import Place, Server, wait_until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def reload(server: Server) -> int:
    """Reload a server of one worker; the number of the old one."""
    (old,) = server.worker_pids()
    server.process.send_signal(signal.SIGHUP)
    return old


def is_answered(client: socket.socket) -> bool:
    """Whether what was asked is answered, on a connection that goes on."""
    answer = client.recv(4096)
    return answer.endswith(b"hello\n") and b"Connection: close" not in answer


def test_reload__idle_asking_and_in_the_middle__all_go_on_in_the_new_worker(place: Place) -> None:
    server = place.start("--workers", "1").wait_ready()
    idle, asking, fresh, busy = (place.connect(server.port()) for _ in range(4))
    for client in (idle, asking):
        client.send(REQUEST)
        assert is_answered(client)
    busy.send(REQUEST[:20])
    wait_until(lambda: server.status()["workers"][0]["connections"] == 4, "four connections")
    (old,) = server.worker_pids()
    os.kill(old, signal.SIGSTOP)
    asking.send(REQUEST)  # It waits in the kernel while the worker is about to be replaced.
    os.kill(old, signal.SIGCONT)
    reload(server)
    assert is_answered(asking)
    wait_until(lambda: server.worker_pids() != [old], "the new worker serves")
    assert psutil.pid_exists(old)
    busy.send(REQUEST[20:])
    assert is_answered(busy)
    wait_until(lambda: not psutil.pid_exists(old), "the old worker ends")
    for client in (idle, asking, fresh, busy):
        client.send(REQUEST)
        assert is_answered(client)
    totals = wait_until(
        lambda: (t := server.status()["workers"][0]["totals"])["moved_in_total"] >= 4 and t, "all have moved"
    )
    assert totals["moved_lost_total"] == 0
    for client in (idle, asking, fresh, busy):
        client.close()


def test_reload__a_download_in_the_middle__goes_on_in_the_new_worker_and_the_old_one_ends(
    place: Place, site: Path
) -> None:
    content = os.urandom(16_000_000)
    (site / "large").write_bytes(content)
    server = place.start("--workers", "1", "--access-log").wait_ready()
    client = place.connect(server.port())
    client.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" + REQUEST)
    heard = client.recv(100_000)
    (site / "large").unlink()
    old = reload(server)
    wait_until(lambda: not psutil.pid_exists(old), "the old worker ends while nobody reads")
    while not heard.endswith(b"hello\n"):
        heard += client.recv(1 << 20)
    client.close()
    assert sha256(heard.split(b"\r\n\r\n", 1)[1][: len(content)]).digest() == sha256(content).digest()
    totals = wait_until(
        lambda: (t := server.status()["workers"][0]["totals"])["moved_in_total"] and t, "it has moved"
    )
    assert totals["moved_lost_total"] == 0
    wait_until(lambda: server.log().count("GET /large") == 1, "one line of the access log")


@pytest.mark.parametrize("place", ["kernel"], indirect=True)
def test_successor_dies__a_request_in_the_middle_is_answered__and_another_serves(place: Place) -> None:
    server = place.start("--workers", "1").wait_ready()
    busy = place.connect(server.port())
    busy.send(REQUEST[:20])
    wait_until(lambda: server.status()["workers"][0]["connections"] == 1, "a connection")
    old = reload(server)
    wait_until(lambda: server.worker_pids() != [old], "the new worker serves")
    (successor,) = server.worker_pids()
    os.kill(successor, signal.SIGKILL)
    wait_until(lambda: server.worker_pids() not in ([], [successor]), "another serves")
    assert server.get() == (200, b"hello\n")
    assert psutil.pid_exists(old)
    busy.send(REQUEST[20:])
    assert busy.recv(4096).endswith(b"hello\n")
    wait_until(lambda: not psutil.pid_exists(old), "the old worker ends")
    busy.close()
