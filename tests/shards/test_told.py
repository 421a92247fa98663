"""What a server and its commands say, on both stacks: one line, in units as they are typed, of what is so."""

from pathlib import Path

import pytest

from gossamer.cli.serve import EVERY_ADDRESS

from ..cli.inside import gossamer
from .conftest import Place, Server, wait_until


def received(place: Place, port: int, data: bytes) -> bytes:
    """All that comes to these octets."""
    with place.connect(port, 10) as client:
        client.sendall(data)
        return client.makefile("rb").read()


def test_host__empty__refused_in_a_line(place: Place) -> None:
    server = place.start("--host", "")
    assert server.wait_end() == 2
    assert server.log().startswith("gossamer: server.host: found ''; allowed: an IP address")
    assert len(server.log().splitlines()) == 1


EVERY = {"kernel": ("0.0.0.0", "every other IPv4 address"), "nfqueue": ("::", "IPv4 and IPv6")}
"""An address that is none of a host, and how the banner says so."""


def test_server__of_odd_answers__says_of_itself_what_is_so(place: Place, site: Path, tmp_path: Path) -> None:
    """One server is asked for all; what it writes to standard output goes to a file."""
    (site / "many.txt").write_bytes(b"0123456789" * 10)
    (site / "many").mkdir()
    for number in reversed(range(50)):
        (site / "many" / f"{number:02}").touch()
    output, (host, said) = tmp_path / "output", EVERY[place.stack]
    options = (
        *("--host", host, "--set", "web.server=", "--autoindex", "--set", "web.autoindex_entries_max=10"),
        *("--access-log", "--timeout-graceful-shutdown", "never"),
    )
    aside = ("sh", "-c", f'exec "$@" > {output}', "sh")
    server = place.start(*options, prefix=aside).wait_ready()
    assert said in server.log()
    assert output.read_bytes() == b""
    is_named_nowhere_without_a_name(place, server.port())
    too_long_a_listing_is_cut_by_name(place, server.port())
    tls_hello_is_answered_400_and_logged_as_such_once(place, server, output)
    selectors_that_conflict_are_refused(server)
    server.process.terminate()
    assert server.wait_end() == 0
    assert "draining, for as long as it takes" in server.log()


def is_named_nowhere_without_a_name(place: Place, port: int) -> None:
    several = b"GET /many.txt HTTP/1.0\r\nRange: bytes=0-0,5-6\r\n\r\n"
    for request in (b"GET /absent HTTP/1.0\r\n\r\n", b"\x00", several):
        answer = received(place, port, request)
        assert answer.startswith(b"HTTP/1.1 ")
        assert b"gossamer" not in answer.lower()


def too_long_a_listing_is_cut_by_name(place: Place, port: int) -> None:
    page = received(place, port, b"GET /many/ HTTP/1.0\r\n\r\n").decode()
    assert [number for number in range(50) if f'"./{number:02}"' in page] == list(range(10))


def tls_hello_is_answered_400_and_logged_as_such_once(place: Place, server: Server, output: Path) -> None:
    hello = bytes.fromhex("1603010200010001fc0303") + bytes(200)
    for _ in range(2):
        assert received(place, server.port(), hello).startswith(b"HTTP/1.1 400")
    wait_until(lambda: output.read_text().count('"TLS hello" 400') == 2, "two lines of the access log")
    assert server.log().count("a TLS hello on the plain port") == 1


def selectors_that_conflict_are_refused(server: Server) -> None:
    wrong = server.command("status", "--port", "1")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert f"the server there has port {server.port()}" in wrong.stderr
    assert server.command("status", "--port", str(server.port())).returncode == 0


def test_banner__every_address__of_each_family() -> None:
    assert {host: said in EVERY_ADDRESS[host] for host, said in EVERY.values()} == {
        "0.0.0.0": True,
        "::": True,
    }


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import sys\nsys.exit(7)\n", "ends the program while it is imported (exit code 7)"),
        ("import absent_everywhere\n", "cannot be imported: ModuleNotFoundError: No module named"),
    ],
)
def test_handler__ends_or_fails_while_it_is_imported__said_in_a_line_and_not_tried_again(
    place: Place, tmp_path: Path, module: str, said: str
) -> None:
    (tmp_path / "leaver.py").write_text(module)
    server = place.start(target="leaver:handler", PYTHONPATH=str(tmp_path))
    assert server.wait_end() == 2
    assert server.log().count(f"module 'leaver' {said}") == 1
    assert "starts in" not in server.log()
    assert "Traceback" not in server.log()


def test_worker__that_has_ended__is_not_starting(place: Place, tmp_path: Path) -> None:
    (tmp_path / "dier.py").write_text(
        "import os\nasync def handler(stream):\n    await stream.recv()\n    os._exit(9)\n"
    )
    server = place.start(target="dier:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    port, pids = server.port(), set(server.worker_pids())
    states = set[str]()
    while "ended" not in states and len(pids) < 5:
        with place.connect(port) as client:
            client.sendall(b"x")
            wait_until(lambda: set(server.worker_pids()) - pids, "it has ended")
        wait_until(lambda: states.add(worker(server)[0]) or worker(server)[0] == "serving", "another serves")
        pids.add(worker(server)[1])
    assert "ended" in states


def worker(server: Server) -> tuple[str, int]:
    """State and pid of its one worker."""
    (one,) = server.status()["workers"]
    return one["state"], one["pid"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--timeout-keep-alive", "0s"], "--timeout-keep-alive: found '0s'; allowed: a duration"),
        (["--set", "web.head_timeout=0s"], "at least 1ms"),
        (["--set", "tcp.rto_max=2d"], "1s to 24h"),
        (["--set", "web.head_timeout_us=0"], "at least 1000 microseconds"),
    ],
)
def test_wrong_duration__answered_in_the_units_that_were_typed(argv: list[str], said: str) -> None:
    done = gossamer("serve", "--check-config", ".", *argv)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert ("microseconds" in done.stderr) == ("_us" in argv[1])
