"""A server on a Unix socket, or on the socket that it was started with."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.shards.configuration.config import Config, ServerConfig
from gossamer.shards.exitcode import CannotStartError, ConfigError
from gossamer.shards.opening.given import activated, open_unix, take_descriptor
from gossamer.shards.plan.plan import MachineFacts, choose_stack

from ..conftest import PATIENCE_SECONDS, Server, wait_until

Serve = Callable[..., Server]

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ACTIVATE = """
import os, socket, sys
listening = socket.create_server(("127.0.0.1", 0))
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execvp(sys.argv[1], sys.argv[1:])
"""


def ask(path: Path, request: bytes = REQUEST) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_SECONDS)
        client.connect(str(path))
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_uds__answers_logs_is_upgraded_and_removed(serve: Serve, tmp_path: Path) -> None:
    path, log = tmp_path / "web.sock", tmp_path / "access.log"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    options = ("--access-log", "--access-log-file", str(log), "--access-log-format", "{client} {status}")
    server = serve("--uds", str(path), *options, "--set", 'web.proxy_protocol=["unix"]').wait_ready()
    assert server.status()["url"] == f"unix:{path}"
    assert ask(path, b"PROXY TCP4 192.0.2.7 192.0.2.1 1 80\r\n" + REQUEST).endswith(b"hello\n")
    assert ask(path, b"PROXY UNKNOWN\r\n" + REQUEST).endswith(b"hello\n")
    second = serve("--uds", str(path), name="second")
    assert second.wait_end() == 3
    assert (
        second.log().splitlines()[-1].startswith(f"gossamer: server.uds: another program listens on {path}")
    )
    assert server.command("reload").returncode == 0
    wait_until(lambda: not server.status()["reloading"], "the reload")
    assert ask(path, b"PROXY UNKNOWN\r\n" + REQUEST).endswith(b"hello\n")
    assert server.command("upgrade").returncode == 0
    assert ask(path, b"PROXY UNKNOWN\r\n" + REQUEST).endswith(b"hello\n")
    assert server.command("stop").returncode == 0
    assert not path.exists()
    assert sorted(log.read_text().splitlines()) == ["- 200", "- 200", "- 200", "192.0.2.7 200"]


def test_activation__the_socket_of_the_service_manager_is_served(serve: Serve) -> None:
    server = serve(prefix=(sys.executable, "-c", ACTIVATE)).wait_ready()
    assert "its listening socket is no port of ours" in server.log()
    assert server.get() == (200, b"hello\n")
    assert server.command("stop").returncode == 0


def test_descriptor__that_listens_is_shared_with_whoever_gave_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with take_descriptor(listening.fileno()) as taken:
            assert taken.getsockname() == listening.getsockname()
        socket.create_connection(listening.getsockname()).close()


def test_descriptor__of_anything_else__one_line_says_what_is_allowed(tmp_path: Path) -> None:
    with socket.socket() as silent, (tmp_path / "file").open("w") as file:
        for fd in (silent.fileno(), file.fileno(), 999_999):
            with pytest.raises(CannotStartError, match=f"server.fd: found {fd}.*; allowed: the number of"):
                take_descriptor(fd)


def test_path__that_is_no_socket__stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(CannotStartError, match="is no socket"):
        open_unix(str(file), 1)
    with pytest.raises(CannotStartError, match="at most 107 bytes"):
        open_unix(str(tmp_path / ("x" * 108)), 1)
    with pytest.raises(CannotStartError, match="No such file"):
        open_unix(str(tmp_path / "absent" / "socket"), 1)
    assert file.read_text() == "mine"


def test_activation__of_another_process_or_with_a_socket_named__is_not_ours() -> None:
    of_us = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    plain, named = Config(), Config(server=ServerConfig(uds="/x"))
    assert activated(plain, of_us, os.getpid()).server.fd == 3
    assert activated(plain, of_us, os.getpid() + 1) is plain
    assert activated(named, of_us, os.getpid()) is named
    with pytest.raises(ConfigError, match="LISTEN_FDS: found '2'; allowed: one socket"):
        activated(plain, of_us | {"LISTEN_FDS": "2"}, os.getpid())


def test_functional_tcp__on_a_socket_of_the_kernel__refused() -> None:
    facts = MachineFacts(cpus=(0,))
    assert choose_stack(Config(server=ServerConfig(fd=3)), facts)[0] == "kernel"
    with pytest.raises(ConfigError, match="--stack nfqueue"):
        choose_stack(Config(server=ServerConfig(fd=3, stack="nfqueue")), facts)
