"""The command line of the load generator: one line for a mistake, and its exit codes."""

import json
import socket
import threading

import pytest
from click.testing import CliRunner

from gossamer.cli.load import load
from gossamer.shards.exitcode import CannotStartError, CommandError, ConfigError

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://127.0.0.1/", "-c", "0"], "1<=x<="),
        (["http://127.0.0.1/", "-d", "soon"], "a time such as 10s"),
        (["http://127.0.0.1/", "-d", "0s"], "more than 0"),
        (["http://127.0.0.1/", "--stack", "other"], "kernel"),
        (["http://127.0.0.1/", "--pipeline", "1000"], "256"),
        (["http://127.0.0.1/", "--rate", "-1"], "0"),
        ([], "URL"),
    ],
)
def test_usage__wrong_option__exit_code_2_and_the_reason(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(load, arguments)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["ftp://127.0.0.1/"],
        ["http://127.0.0.1/", "--pipeline", "2", "--no-keepalive"],
        ["http://127.0.0.1/", "--rate", "nan"],
        ["http://127.0.0.1:0/"],
    ],
)
def test_usage__wrong_value__config_error(arguments: list[str]) -> None:
    assert isinstance(CliRunner().invoke(load, arguments).exception, ConfigError)


def test_refused__nobody_listens__one_line() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        error = CliRunner().invoke(load, [url, "-d", "2s"]).exception
    assert isinstance(error, CommandError)
    assert "refused" in str(error)
    assert "\n" not in str(error)


def test_connections__more_than_files_may_be_open__cannot_start() -> None:
    error = CliRunner().invoke(load, ["http://127.0.0.1:1/", "-c", "100000"]).exception
    assert isinstance(error, CannotStartError | CommandError)
    assert "\n" not in str(error)


def test_json__against_a_server__counts_and_exit_code_0() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    result = CliRunner().invoke(load, [url, "-c", "1", "--requests", "20", "-d", "10s", "--json"])
    listener.close()
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (found["requests_total"], found["errors_total"], found["body_bytes"]) == (20, 0, 60)
    names = {"mean", "p50", "p90", "p99", "p99.9", "max", "at_least"}
    assert found["response_us"].keys() == found["service_us"].keys() == names
    assert found["valid"] == (not found["warnings"])


def serve(listener: socket.socket) -> None:
    """Answer on each connection until it ends: the probe's, then the run's."""
    for _ in range(2):
        sock, _ = listener.accept()
        with sock:
            while sock.recv(4096):
                sock.sendall(ANSWER)
