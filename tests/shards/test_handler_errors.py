"""What goes wrong in a handler under `gossamer serve`: it ends its own connection, and is logged and counted;
what the peer does is neither."""

import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Server, wait_until

Serve = Callable[..., Server]

LOUD = {
    "opens_a_missing_file": "FileNotFoundError",
    "writes_to_a_broken_pipe": "BrokenPipeError",
    "sends_text": "data: found 'text' (str), allowed is bytes",
    "receives_text": "bytes_max: found '1' (str), allowed is a whole number",
    "receives_from_nothing": "the connection of SockRecv: found None",
    "sends_text_into_a_pipe": "data: found 'text' (str), allowed is bytes",
}


def connect(server: Server, deed: str) -> socket.socket:
    """A connection whose handler has begun a deed."""
    client = socket.create_connection(("127.0.0.1", server.status()["port"]), timeout=5)
    client.sendall(deed.encode())
    assert client.recv(5, socket.MSG_WAITALL) == b"begun"
    return client


def is_over(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def troubled(serve: Serve) -> Server:
    folder = str(Path(__file__).parent)
    return serve("--workers", "1", target="troubled:handler", PYTHONPATH=folder).wait_ready()


def errors_total(server: Server) -> int:
    (worker,) = server.status()["workers"]
    assert worker["thread_errors_total"] == worker["totals"]["thread_errors_total"]
    total: int = worker["thread_errors_total"]
    return total


def test_handler_fails__logged_counted_and_shown__and_another_connection_lives_on(troubled: Server) -> None:
    (worker,) = troubled.worker_pids()
    with connect(troubled, "answers") as other:
        for number, (deed, said) in enumerate(LOUD.items(), 1):
            with connect(troubled, deed) as client:
                assert is_over(client)
            wait_until(lambda number=number: errors_total(troubled) == number, f"{deed} is counted")
            assert said in troubled.log()
            other.sendall(b"still here?")
            assert other.recv(100) == b"still here?"
        assert troubled.log().count("<Thread handler> was ended by an error") == len(LOUD)
    assert troubled.worker_pids() == [worker]
    shown = troubled.command("status").stdout.splitlines()
    heading = next(number for number, line in enumerate(shown) if " errors" in line)
    end = shown[heading].index(" errors") + len(" errors")
    assert shown[heading + 1][:end].split()[-1] == str(len(LOUD))


@pytest.mark.parametrize("deed", ["answers", "waits_in_a_nursery"])
def test_peer_resets_or_leaves__neither_logged_nor_counted(troubled: Server, deed: str) -> None:
    for resets in (True, False):
        client = connect(troubled, deed)
        if resets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    wait_until(lambda: troubled.status()["workers"][0]["connections"] == 0, "both are over")
    assert errors_total(troubled) == 0
    assert "ended by an error" not in troubled.log()


def test_handlers_own_limit_is_reached__a_line_that_names_it_and_no_error(troubled: Server) -> None:
    with connect(troubled, "loses_patience") as client:
        assert is_over(client)
    wait_until(lambda: "not done within" in troubled.log(), "the line is written")
    (line,) = [each for each in troubled.log().splitlines() if "not done within" in each]
    assert "WARNING handler gave up <SockStream 127.0.0.1:" in line
    assert line.endswith(": not done within 0.05 s")
    assert "Traceback" not in troubled.log()
    assert errors_total(troubled) == 0


def test_partial_as_handler__served_and_named_by_its_function(serve: Serve) -> None:
    folder = str(Path(__file__).parent)
    server = serve("--workers", "1", target="troubled:greets", PYTHONPATH=folder).wait_ready()
    with socket.create_connection(("127.0.0.1", server.status()["port"]), timeout=5) as client:
        client.recv(5)
    wait_until(lambda: errors_total(server) == 1, "it is counted")
    assert "<Thread _greets> was ended by an error" in server.log()
