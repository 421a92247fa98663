"""What goes wrong in a handler under `gossamer serve`: it ends its own connection, and is logged and counted;
what the peer does is neither."""

import contextlib
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path

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


def errors_total(server: Server) -> int:
    (worker,) = server.status()["workers"]
    assert worker["thread_errors_total"] == worker["totals"]["thread_errors_total"]
    total: int = worker["thread_errors_total"]
    return total


def test_handler__leaves_is_left_hogs_and_fails__told_and_another_connection_lives_on(serve: Serve) -> None:
    """Of one server; what counts as an error comes last."""
    folder = str(Path(__file__).parent)
    server = serve(target="troubled:handler", PYTHONPATH=folder).wait_ready()
    (worker,) = server.worker_pids()
    peer_resets_or_leaves_and_nothing_is_logged_or_counted(server)
    own_limit_is_reached_and_a_line_names_it(server)
    one_that_blocks_the_worker_is_named_once_with_its_line(server)
    assert errors_total(server) == 0
    assert "ended by an error" not in server.log()
    one_that_fails_is_logged_counted_and_shown(server)
    assert server.worker_pids() == [worker]


def peer_resets_or_leaves_and_nothing_is_logged_or_counted(server: Server) -> None:
    for deed in ("answers", "waits_in_a_nursery"):
        for resets in (True, False):
            client = connect(server, deed)
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        wait_until(lambda: server.status()["workers"][0]["connections"] == 0, "both are over")
        assert errors_total(server) == 0, deed
        assert "ended by an error" not in server.log(), deed


def own_limit_is_reached_and_a_line_names_it(server: Server) -> None:
    with connect(server, "loses_patience") as client:
        assert is_over(client)
    wait_until(lambda: "not done within" in server.log(), "the line is written")
    (line,) = [each for each in server.log().splitlines() if "not done within" in each]
    assert "WARNING handler gave up <SockStream 127.0.0.1:" in line
    assert line.endswith(": not done within 0.05 s")
    assert "Traceback" not in server.log()
    assert errors_total(server) == 0


def one_that_blocks_the_worker_is_named_once_with_its_line(server: Server) -> None:
    with connect(server, "hogs") as client:
        assert client.makefile("rb").read() == b"late"
    wait_until(lambda: re.search(r'troubled\.py", line \d+, in hogs', server.log()), "the line in the log")
    assert server.log().count("<Thread handler> holds the loop for more than 100 ms") == 1


def one_that_fails_is_logged_counted_and_shown(server: Server) -> None:
    with connect(server, "answers") as other:
        for number, (deed, said) in enumerate(LOUD.items(), 1):
            with connect(server, deed) as client:
                assert is_over(client)
            wait_until(lambda number=number: errors_total(server) == number, f"{deed} is counted")
            assert said in server.log()
            other.sendall(b"still here?")
            assert other.recv(100) == b"still here?"
        assert server.log().count("<Thread handler> was ended by an error") == len(LOUD)
    shown = server.command("status").stdout.splitlines()
    heading = next(number for number, line in enumerate(shown) if " errors" in line)
    end = shown[heading].index(" errors") + len(" errors")
    assert shown[heading + 1][:end].split()[-1] == str(len(LOUD))


def test_partial_as_handler__served_and_named_by_its_function(serve: Serve) -> None:
    folder = str(Path(__file__).parent)
    server = serve(target="troubled:greets", PYTHONPATH=folder).wait_ready()
    # It fails at once: its reset may come before the client has looked at whether it is connected.
    with (
        contextlib.suppress(ConnectionResetError),
        socket.create_connection(("127.0.0.1", server.status()["port"]), timeout=5) as client,
    ):
        client.recv(5)
    wait_until(lambda: errors_total(server) == 1, "it is counted")
    assert "<Thread _greets> was ended by an error" in server.log()
