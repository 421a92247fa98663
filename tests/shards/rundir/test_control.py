"""The control socket, with hostile clients too."""

import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossamer.shards.exitcode import CommandError, ConfigError, NotRunningError
from gossamer.shards.rundir.control import (
    CLIENTS_MAX,
    REQUEST_BYTES_MAX,
    ControlAnswer,
    ControlRequest,
    ControlServer,
    ask,
    ask_for,
    open_control,
)


def answer(request: ControlRequest) -> ControlAnswer:
    if request.command == "restart":
        raise ConfigError("worker: found 9; allowed: 0 to 1")
    return ControlAnswer(True, "", {"worker": request.worker, "long": "x" * 300_000})


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    selector = selectors.DefaultSelector()
    server = ControlServer(open_control(tmp_path / "c"), selector, answer)
    ending = threading.Event()

    def loop() -> None:
        while not ending.is_set():
            for key, _ in selector.select(0.02):
                key.data()

    thread = threading.Thread(target=loop)
    thread.start()
    yield tmp_path / "c"
    ending.set()
    thread.join()
    server.close()


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(str(path))
    client.settimeout(5)
    return client


def test_ask__answer_comes_whole(path: Path) -> None:
    result = ask(path, ControlRequest("status", 3)).result
    assert (result["worker"], len(result["long"])) == (3, 300_000)


def test_ask__refused__error_with_its_message(path: Path) -> None:
    with pytest.raises(CommandError, match="allowed: 0 to 1"):
        ask(path, ControlRequest("restart", 9))


def test_ask__nobody__not_running(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError):
        ask(tmp_path / "none", ControlRequest("status"))


def test_socket__for_its_owner_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data", [b"rubbish", b"{}", b'{"command":"dance"}', b"[" * REQUEST_BYTES_MAX, b"\x00"]
)
def test_rubbish__answered_so_and_the_server_goes_on(path: Path, data: bytes) -> None:
    with connect(path) as client:
        client.send(data)
        assert b'"ok":false' in client.recv(1 << 16)
    assert ask(path, ControlRequest("status")).ok


def test_silent_clients__never_lock_out_the_next_one(path: Path) -> None:
    idle = [connect(path) for _ in range(CLIENTS_MAX + 3)]
    assert ask(path, ControlRequest("status")).ok
    for client in idle:
        client.close()


def test_client_that_does_not_read__only_loses_its_answer(path: Path) -> None:
    with connect(path) as client:
        client.send(b'{"command":"status"}')
    assert ask(path, ControlRequest("status")).ok


@pytest.mark.parametrize(
    "said", [b"rubbish", b"[]", b'{"ok":1}', b'{"ok":true,"result":{"stack":7}}', b'{"ok":true,"result":[1]}']
)
def test_ask_for__somebody_else_answers__one_line_and_no_traceback(tmp_path: Path, said: bytes) -> None:
    place = tmp_path / "c"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(place))
        listener.listen(1)

        def answer_once() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(REQUEST_BYTES_MAX)
                client.send(said)

        thread = threading.Thread(target=answer_once)
        thread.start()
        with pytest.raises(NotRunningError, match="no server of ours"):
            ask_for(place, ControlRequest("status"), list[str])
        thread.join()
