"""What a server and its commands say, on both stacks: one line, in units as they are typed, of what is so."""

import subprocess
from pathlib import Path

import pytest

from .conftest import GOSSAMER, Place, Server, wait_until


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    return subprocess.run([GOSSAMER, *argv], capture_output=True, text=True, timeout=60, check=False)


def received(place: Place, port: int, data: bytes) -> bytes:
    """All that comes to these octets."""
    with place.connect(port, 10) as client:
        client.sendall(data)
        return client.makefile("rb").read()


def test_host__empty__refused(place: Place) -> None:
    server = place.start("--host", "")
    assert server.wait_end() == 2
    assert "server.host: found ''; allowed: an IP address" in server.log()


@pytest.mark.parametrize(("host", "said"), [("0.0.0.0", "every other IPv4 address"), ("::", "IPv4 and IPv6")])
def test_banner__every_address__says_so(place: Place, host: str, said: str) -> None:
    assert said in place.start("--workers", "1", "--host", host).wait_ready().log()


def test_banner__on_standard_error(place: Place, tmp_path: Path) -> None:
    aside = ("sh", "-c", f'exec "$@" > {tmp_path}/output', "sh")
    place.start("--workers", "1", prefix=aside).wait_ready()
    assert (tmp_path / "output").read_bytes() == b""


def test_server__empty__named_nowhere(place: Place, site: Path) -> None:
    (site / "many.txt").write_bytes(b"0123456789" * 10)
    port = place.start("--workers", "1", "--set", "web.server=").wait_ready().port()
    several = b"GET /many.txt HTTP/1.0\r\nRange: bytes=0-0,5-6\r\n\r\n"
    for request in (b"GET /absent HTTP/1.0\r\n\r\n", b"\x00", several):
        answer = received(place, port, request)
        assert answer.startswith(b"HTTP/1.1 ")
        assert b"gossamer" not in answer.lower()


def test_listing__too_long__cut_by_name(place: Place, site: Path) -> None:
    (site / "many").mkdir()
    for number in reversed(range(50)):
        (site / "many" / f"{number:02}").touch()
    port = (
        place.start("--workers", "1", "--autoindex", "--set", "web.autoindex_entries_max=10")
        .wait_ready()
        .port()
    )
    page = received(place, port, b"GET /many/ HTTP/1.0\r\n\r\n").decode()
    assert [number for number in range(50) if f'"./{number:02}"' in page] == list(range(10))


def test_tls_hello__answered_400_and_logged_as_such__once(place: Place) -> None:
    server = place.start("--workers", "1", "--access-log").wait_ready()
    hello = bytes.fromhex("1603010200010001fc0303") + bytes(200)
    for _ in range(2):
        assert received(place, server.port(), hello).startswith(b"HTTP/1.1 400")
    wait_until(lambda: server.log().count('"TLS hello" 400') == 2, "two lines of the access log")
    assert server.log().count("a TLS hello on the plain port") == 1


def test_stop__graceful_for_ever__said_so(place: Place) -> None:
    server = place.start("--workers", "1", "--timeout-graceful-shutdown", "never").wait_ready()
    server.process.terminate()
    assert server.wait_end() == 0
    assert "draining, for as long as it takes" in server.log()


def test_handler__exits_while_it_is_imported__said_and_not_tried_again(place: Place, tmp_path: Path) -> None:
    (tmp_path / "leaver.py").write_text("import sys\nsys.exit(7)\n")
    server = place.start("--workers", "1", target="leaver:handler", PYTHONPATH=str(tmp_path))
    assert server.wait_end() == 2
    assert server.log().count("module 'leaver' ends the program while it is imported (exit code 7)") == 1
    assert "starts in" not in server.log()


def test_selectors__that_conflict__refused(place: Place) -> None:
    server: Server = place.start("--workers", "1").wait_ready()
    wrong = server.command("status", "--port", "1")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert f"the server there has port {server.port()}" in wrong.stderr
    assert server.command("status", "--port", str(server.port())).returncode == 0


def test_worker__that_has_ended__is_not_starting(place: Place, tmp_path: Path) -> None:
    (tmp_path / "dier.py").write_text(
        "import os\nasync def handler(stream):\n    await stream.recv()\n    os._exit(9)\n"
    )
    server = place.start("--workers", "1", target="dier:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    port, pids = server.port(), set(server.worker_pids())
    states = set()
    for _ in range(4):
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
    done = run("serve", "--check-config", ".", *argv)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert ("microseconds" in done.stderr) == ("_us" in argv[1])
