"""Peers that are reloaded: each really has new workers, or says why not."""

import signal
import socket
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.reloaded_peers import PEERS, start_peer, wait_until_reloaded, why_not
from gossamer.loadtest.servers import LocalMachine, Server, ServerError, running, start_logged

PORT = 8080


@pytest.mark.long
@pytest.mark.parametrize("name", PEERS)
def test_reload__each_peer__new_workers_and_its_answer(
    name: str, namespace: Namespace, tmp_path: Path
) -> None:
    if why := why_not(name):
        pytest.skip(why)
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_bytes(b"hello\n")
    with running(start_peer(namespace, name, site, tmp_path / name, 2, PORT)) as server:
        before = set(server.worker_pids())
        server.process.send_signal(signal.SIGHUP)
        wait_until_reloaded(server, before, 2)
        assert set(server.worker_pids()) - before
        with (
            namespace.entered(),
            socket.create_connection(("127.0.0.1", PORT), 10) as sock,
        ):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: sock.recv(4096), b""))
        assert answer.endswith(b"hello\n")


def test_reload__the_server_ends_instead__says_what_it_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start_logged(LocalMachine(), ["sh", "-c", "echo cannot"], log)
    server = Server("odd", process, 1, log, list)
    process.wait(20)
    with pytest.raises(ServerError, match="odd has no new workers: cannot"):
        wait_until_reloaded(server, set(), 1)


def test_why_not__one_that_nobody_has__the_extra_is_named() -> None:
    assert why_not("no_such_server") == "it is not installed (extra `bench`)"
