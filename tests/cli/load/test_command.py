"""The command line of the load generator: one line for a mistake, and its exit codes."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from gossamer.cli.load.command import exit_code, load
from gossamer.shards.exitcode import CannotStartError, CommandError, ConfigError

from ...loadtest.odd_servers import ODD, odd_server

COMMAND = [sys.executable, "-c", "from gossamer.cli.main import main; main()"]
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
        (["http://127.0.0.1/", "--rate", "nan"], "a number a second"),
        (["http://127.0.0.1/", "--rate", "100:30s,"], "phases"),
        (["http://127.0.0.1/", "--rate", "0:30s"], "phases"),
        (["http://127.0.0.1/", "--think", "3s-1s"], "a time, or two"),
        (["http://127.0.0.1/", "--rat", "1"], "--rate"),
        (["http://127.0.0.1/", "--processes", "0"], "1 to 64, or auto"),
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
        ["http://127.0.0.1/", "--connect-rate", "nan"],
        ["http://127.0.0.1/", "--arrivals", "poisson"],
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


def start(*options: str) -> tuple["subprocess.Popen[str]", socket.socket]:
    """A run of its own process against a server that accepts and never answers."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    argv = [*COMMAND, "load", url, "-c", "2", *options]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return process, listener


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal__run_goes_on__reports_what_there_is_and_says_so(number: signal.Signals) -> None:
    process, listener = start("--json", "-d", "60s")
    with listener:
        held = [listener.accept() for _ in range(3)]  # the probe's connection, and the two of the run
        time.sleep(0.3)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    for sock, _ in held:
        sock.close()
    found = json.loads(out)
    assert process.returncode == 1, err
    assert found["interrupted"] is True
    assert found["in_flight_total"] == found["due_total"] == 2


def test_output__disk_is_full__one_line() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    argv = [*COMMAND, "load", url, "-c", "1", "-n", "5"]
    with open("/dev/full", "w") as full, listener:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "gossamer: the result could not be written: No space left on device (ENOSPC)\n"


def test_count_without_time__silent_server__given_up_after_the_timeout_and_exit_code_1() -> None:
    process, listener = start("--json", "-n", "2", "--timeout", "200ms")
    with listener:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1, err
    found = json.loads(out)
    assert (found["timed_out_total"], found["due_total"]) == (2, 2)
    assert "p50" in found["response_us"]["at_least"]


@pytest.mark.parametrize(
    ("changed", "strict", "code"),
    [
        ({}, False, 0),
        ({"valid": False}, False, 0),
        ({"valid": False}, True, 4),
        ({"valid": False, "requests_total": 9}, True, 1),
        ({"interrupted": True}, False, 1),
        ({"errors_total": 1}, False, 1),
        ({"requests_total": 0, "due_total": 0}, False, 1),
        ({"thresholds": [{"text": "p99<1s", "met": False}], "interrupted": True}, False, 5),
        ({"thresholds": [{"text": "p99<1s", "met": True}], "errors_total": 1}, False, 1),
        ({"thresholds": [{"text": "errors<1%", "met": True}], "errors_total": 1}, False, 0),
    ],
)
def test_exit_code__of_a_summary(changed: dict[str, object], strict: bool, code: int) -> None:
    good = {
        "valid": True,
        "interrupted": False,
        "requests_total": 10,
        "due_total": 10,
        "errors_total": 0,
        "thresholds": [],
        "warnings": [],
    }
    assert exit_code(good | changed, strict=strict) == code


def test_nohup__a_hangup__the_run_goes_on() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        argv = ["nohup", *COMMAND, "load", url, "-c", "1", "-n", "1", "--timeout", "1500ms", "--json"]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        held = [listener.accept() for _ in range(2)]
        time.sleep(0.3)
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=30)
    for sock, _ in held:
        sock.close()
    found = json.loads(out)
    assert (found["interrupted"], found["timed_out_total"]) == (False, 1)


def test_processes__two__one_result() -> None:
    with odd_server(ODD["good"]) as url:
        argv = [url, "-c", "4", "-n", "40", "--rate", "200", "--processes", "2", "--json"]
        result = CliRunner().invoke(load, argv)
    found = json.loads(result.stdout)
    assert result.exit_code == 0, found
    assert (found["requests_total"], found["engines"], found["statuses"]) == (40, 2, {"200": 40})


def test_intervals__a_file__their_sum_is_the_whole(tmp_path: Path) -> None:
    with odd_server(ODD["good"]) as url:
        argv = [url, "-c", "2", "-n", "30", "--rate", "100", "--intervals", str(tmp_path / "i"), "--json"]
        result = CliRunner().invoke(load, argv)
    lines = [json.loads(line) for line in (tmp_path / "i").read_text().splitlines()]
    assert lines == json.loads(result.stdout)["timeline"]
    assert sum(line["answered"] for line in lines) == 30


def test_intervals__cannot_be_written__one_line_after_the_result() -> None:
    with odd_server(ODD["good"]) as url:
        result = CliRunner().invoke(load, [url, "-c", "2", "-n", "30", "--intervals", "/dev/full", "--json"])
    assert isinstance(result.exception, CommandError)
    assert str(result.exception) == "--intervals: No space left on device (ENOSPC)"
    assert json.loads(result.stdout)["requests_total"] == 30


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_fault_of_ours__ends_the_run(processes: str) -> None:
    """A connection's thread that fails by itself: the run has no result, and an end."""
    script = (
        "import sys, gossamer.loadtest.flat as flat\n"
        "flat.awake_before_us = None\n"
        "from gossamer.cli.main import main\n"
        "main()\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        command = [sys.executable, "-P", "-c", script, "load", url, "--rate", "50", "-c", "2", "-d", "2s"]
        done = subprocess.run(
            [*command, "--processes", processes], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode != 0
    assert "NoneType" in done.stderr
