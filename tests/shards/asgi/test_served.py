"""`gossamer serve module:app` carries an ASGI application, on either stack."""

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ...parts import ask_each
from ..conftest import Place, Server, wait_until

FOLDER = str(Path(__file__).parent)
Serve = Callable[..., Server]


def start(place: Place, *argv: str, target: str = "sample:app", **options: str) -> Server:
    return place.start(*argv, target=target, PYTHONPATH=FOLDER, **options).wait_ready()


def ask(place: Place, port: int, request: str, body: bytes = b"") -> bytes:
    """All that comes back."""
    with place.connect(port) as client:
        client.sendall(request.encode() + body)
        return b"".join(iter(lambda: client.recv(1 << 20), b""))


def get(place: Place, port: int, path: str, *lines: str) -> bytes:
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", "Connection: close", *lines, "", ""])
    return ask(place, port, head)


def test_application__on_either_stack(place: Place) -> None:
    """Of one server; its end comes last."""
    server = start(place, "--root-path", "/api", "--access-log")
    port = server.port()

    def answers() -> None:
        got = get(place, port, "/x%20y?q")
        assert got.startswith(b"HTTP/1.1 200 OK\r\nServer: gossamer\r\nDate: ")
        assert got.endswith(b"\r\n\r\nhello /api/x y 127.0.0.1 http")

    def takes_uploads_and_sends_downloads() -> None:
        size = 8 << 20
        head = f"POST /upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        assert ask(place, port, head, b"x" * size).endswith(b"\r\n\r\n%d" % size)
        got = get(place, port, "/download")
        assert got.count(b"x") == 64 * 65536
        assert got.endswith(b"\r\n0\r\n\r\n")

    def answers_pipelined_requests() -> None:
        requests = "".join(f"GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n" for number in range(20))
        last = "GET /last HTTP/1.0\r\n\r\n"
        got = ask(place, port, requests + last)
        assert re.findall(rb"hello /api/(\w+)", got) == [b"%d" % number for number in range(20)] + [b"last"]

    def fails_and_is_counted() -> None:
        assert get(place, port, "/fails").startswith(b"HTTP/1.1 500 ")
        totals = lambda: server.status()["workers"][0]["totals"]  # noqa: E731 - asked again and again
        wait_until(lambda: totals()["application_errors_total"] == 1, "it is counted")
        assert totals()["thread_errors_total"] == 0
        assert server.log().count("ValueError: a failure of the application's") == 1

    def says_what_it_answered() -> None:
        wait_until(lambda: '"GET /fails HTTP/1.1" 500' in server.log(), "the access log is written")

    def ends_after_what_is_in_flight() -> None:
        with place.connect(port) as slow, place.connect(port) as idle, place.connect(port) as behind:
            slow.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            behind.sendall(b"GET /background HTTP/1.1\r\nHost: a\r\n\r\n")
            assert behind.recv(1 << 16).endswith(b"begun")
            wait_until(lambda: server.status()["workers"][0]["totals"]["requests_total"], "it has begun")
            server.process.send_signal(signal.SIGTERM)
            assert idle.recv(100) == b""
            got = slow.recv(1 << 16)
            assert got.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"Connection: close\r\n" in got
        assert server.wait_end() == 0
        told = re.findall(r"the application starts|the application ends|the background is done", server.log())
        assert told == ["the application starts", "the background is done", "the application ends"]

    parts = (
        answers,
        takes_uploads_and_sends_downloads,
        answers_pipelined_requests,
        fails_and_is_counted,
        says_what_it_answered,
        ends_after_what_is_in_flight,
    )
    ask_each((part.__name__, part) for part in parts)


def test_reload__the_old_application_ends_and_the_new_one_answers(place: Place) -> None:
    server = start(place)
    port = server.port()
    with place.connect(port) as slow, place.connect(port) as idle:
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        (old,) = server.worker_pids()
        server.command("reload")
        wait_until(lambda: server.worker_pids() != [old], "the new one serves")
        assert slow.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")
        assert idle.recv(100) == b""
    assert get(place, port, "/").endswith(b"hello / 127.0.0.1 http")
    wait_until(lambda: server.log().count("the application ends") == 1, "the old one has ended")
    assert server.log().count("the application starts") == 2


def test_factory_and_proxies(place: Place) -> None:
    trusted = ("--set", 'web.trusted_proxies=["127.0.0.1"]')
    server = start(place, "--factory", *trusted, target="sample:make")
    proxied = ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    assert get(place, server.port(), "/", *proxied).endswith(b"hello / 203.0.113.9 https")


def test_unix_socket(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    bare = serve("--uds", str(path), target="sample:bare", name="bare", PYTHONPATH=FOLDER).wait_ready()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"".join(iter(lambda: client.recv(4096), b"")).endswith(b"\r\n\r\nbare")
    assert "taken for one without lifespan (AssertionError" in bare.log()


def test_worker__replaced_after_its_requests__and_at_ctrl_c_the_application_hears_of_it(place: Place) -> None:
    limits = ("--limit-max-requests", "20", "--limit-max-requests-jitter", "5")
    server = start(place, *limits)
    port = server.port()
    (first,) = server.worker_pids()

    def is_replaced() -> bool:
        assert get(place, port, "/").endswith(b"hello / 127.0.0.1 http")
        return first not in server.worker_pids()

    wait_until(is_replaced, "another worker serves")
    assert "worker 0 is replaced: it has had its requests" in server.log()
    wait_until(lambda: server.log().count("the application ends") == 1, "the first has ended")
    assert server.status()["workers"][0]["restarts"] == 0
    server.process.send_signal(signal.SIGINT)
    assert server.wait_end() == 0
    assert server.log().count("the application ends") == server.log().count("the application starts")


def test_connections_of_an_application__by_the_servers_stack_where_it_is_said(
    place: Place,
) -> None:
    options = ("nfqueue.active_ports_per_worker=20", 'application.connect_on_stack=["127.0.0.2"]')
    argv = [word for option in options for word in ("--set", option)]
    server = place.start("--lifespan", "off", *argv, target="sample:connects", PYTHONPATH=FOLDER).wait_ready()

    def port_to(address: str, how: str) -> int:
        return int(get(place, server.port(), f"/{how}/{address}").rpartition(b"\r\n\r\n")[2])

    of_ours = range(61000, 65536)
    for how in ("by-the-loop", "itself"):
        assert (port_to("127.0.0.2", how) in of_ours) == (place.stack == "nfqueue"), how
        assert port_to("127.0.0.1", how) not in of_ours, how
    assert server.status()["workers"][0]["totals"]["thread_errors_total"] == 0


def test_application__that_does_not_end__is_dropped_in_time(serve: Serve) -> None:
    for number, signal_sent in enumerate((signal.SIGTERM, signal.SIGINT)):
        server = serve(
            "--timeout-graceful-shutdown", "200ms", target="sample:stubborn", name=f"run{number}",
            PYTHONPATH=FOLDER,
        ).wait_ready()  # fmt: skip
        with socket.create_connection(("127.0.0.1", server.port())) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda server=server: server.status()["workers"][0]["connections"], "it is there")
            server.process.send_signal(signal_sent)
            assert server.wait_end() == 0
        log = server.log()
        assert "1 tasks of the application are cancelled: their time is over" in log
        assert "the application has not answered lifespan.shutdown in time" in log
        assert "do not heed that they are cancelled, and are dropped" in log
        assert "did not end in time" not in log
        assert "Traceback" not in log


def watchers(folder: Path) -> list[int]:
    """The pids of the processes that watch a folder's sources."""
    processes = psutil.process_iter(["cmdline"])
    found = [(process.pid, process.info["cmdline"] or []) for process in processes]
    return [
        pid for pid, argv in found if "gossamer.shards.supervisor.watching" in argv and str(folder) in argv
    ]


CHANGING = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"version %d"})
"""


def test_reload_flag__a_source_that_changes_is_served__one_that_is_broken_is_not(
    serve: Serve, tmp_path: Path
) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    source = folder / "changing.py"
    source.write_text(CHANGING % 1)
    argv = ("--reload", "--lifespan", "off", "--set", f'application.reload_dirs=["{folder}"]')
    server = serve(*argv, target="changing:app", PYTHONPATH=str(folder)).wait_ready()
    assert server.get("/")[1] == b"version 1"

    def is_served(version: int) -> bool:
        source.write_text(CHANGING % version)  # again and again: the watcher may not watch yet
        return server.get("/")[1] == b"version %d" % version

    wait_until(lambda: is_served(2), "the new source is served")
    (first,) = watchers(folder)
    wait_until(lambda: server.command("upgrade").returncode == 0, "no reload is under way, and it is another")
    wait_until(lambda: first not in watchers(folder), "the watcher of the one before has ended")
    wait_until(lambda: not psutil.pid_exists(first), "and is reaped")
    wait_until(lambda: is_served(3), "a source that changes after an upgrade is served")
    assert len(watchers(folder)) == 1
    source.write_text("no Python at all")
    wait_until(lambda: "SyntaxError" in server.log(), "it is tried")
    assert server.get("/")[1] == b"version 3"
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_end() == 0
    wait_until(lambda: not watchers(folder), "nobody watches any more")


@pytest.mark.parametrize(
    ("argv", "target", "code", "said"),
    [
        ((), "sample:refuses", 3, "the application says that it failed to start: no database"),
        (("--lifespan", "on"), "sample:bare", 3, "the application failed at its start: AssertionError"),
        (("--interface", "wsgi"), "sample:app", 2, "with --interface wsgi expected: not async, of two"),
        (("--interface", "cgi"), "sample:app", 2, "--interface: found 'cgi'; allowed: "),
        (("--limit-max-requests", "-1"), "sample:app", 2, "--limit-max-requests: found '-1'; allowed: "),
        (
            ("--reload", "--set", 'application.reload_dirs=["/absent"]'),
            "sample:app",
            2,
            "found '/absent'; allowed: ",
        ),
        (
            ("--set", 'application.connect_on_stack=["nowhere"]'),
            "sample:app",
            2,
            "[application]: connect_on_stack: 'nowhere' does not appear to be an IPv4 or IPv6 network",
        ),
        (("--root-path", "api"), "sample:app", 2, "--root-path: found 'api'; allowed: "),
        (("--factory",), "sample:app", 2, "with --factory expected: a function without arguments"),
        ((), "sample:absent", 2, "TARGET 'sample:absent': module 'sample' has no 'absent'; it has app, "),
        ((), "surely_absent:app", 2, "module 'surely_absent' cannot be imported: ModuleNotFoundError"),
    ],
)
def test_mistake__one_line_and_its_exit_code(
    serve: Serve, argv: tuple[str, ...], target: str, code: int, said: str
) -> None:
    server = serve(*argv, target=target, PYTHONPATH=FOLDER)
    assert server.wait_end() == code, server.log()
    lines = [line for line in server.log().splitlines() if said in line]
    assert lines, server.log()
    assert "Traceback" not in server.log()


def test_import_error__its_file_and_line_in_one_line_and_exit_2(serve: Serve, tmp_path: Path) -> None:
    for number, (text, line, said) in enumerate(
        (
            ("import json\nimport surely_absent\n", 2, "No module named 'surely_absent'"),
            ("app = 3 +\n", 1, "SyntaxError: "),
            ("\n\nraise ValueError('of its own')\n", 3, "ValueError: of its own"),
        )
    ):
        (tmp_path / f"broken{number}.py").write_text(text)
        server = serve(target=f"broken{number}:app", name=f"run{number}", PYTHONPATH=str(tmp_path))
        assert server.wait_end() == 2, server.log()
        (told,) = [line for line in server.log().splitlines() if "cannot be imported" in line]
        assert told.startswith("gossamer: "), told
        assert said in told, told
        assert f"broken{number}.py, line {line})" in told, told
