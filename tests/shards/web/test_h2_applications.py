"""Applications by HTTP/2, on either stack: requests beside each other, bodies both ways as windows let them,
ends, and the attacks that folders withstand."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from ...certificates import CA, PEMS
from ...core.http.test_h2conversation import ATTACKS
from ...parts import ask_each
from ..conftest import Place, Server, place, serve, site, wait_until
from .h2_client import H2Client

__all__ = ["place", "serve", "site"]

FOLDER = str(Path(__file__).parent)
SECONDS = 30.0
INTERNAL_ERROR = 2
REFUSED_STREAM = 7


@contextmanager
def client_of(place: Place, port: int) -> Iterator[H2Client]:
    with place.connect(port) as sock:
        sock.settimeout(SECONDS)
        yield H2Client(sock)


def started(place: Place, target: str, *argv: str) -> Server:
    argv = ("--set", "web.http2=true", "--access-log", *argv)
    return place.start(*argv, target=target, PYTHONPATH=FOLDER).wait_ready()


def totals(server: Server) -> dict[str, int]:
    found: dict[str, int] = server.status()["workers"][0]["totals"]
    return found


def answers_beside_each_other(client: H2Client) -> None:
    """A request that waits keeps none of its connection from its answer."""
    waits = client.ask("/waits")
    assert client.get("/x").body == b"/x"
    assert not client.answers[waits].is_over
    client.get("/go")
    assert client.answer(waits).body == b"/waits"
    numbers = [client.ask(f"/{number}") for number in range(90)]
    assert [client.answer(number).body for number in numbers] == [b"/%d" % n for n in range(90)]


def test_asgi__by_http_2__on_either_stack(place: Place) -> None:
    """Of one server; its end comes last."""
    server = started(place, "h2_sample:app", "--lifespan", "off")
    port = server.port()

    def says_its_version_and_no_framing_of_http_1() -> None:
        with client_of(place, port) as client:
            answer = client.get("/scope", ("x-a", "b"))
            assert answer.head["content-type"] == "text/plain"
            assert re.fullmatch(rb"2 http [0-9.]+ host,x-a", answer.body)
            number = client.ask("/scope", method="POST", body=b"hello")
            assert client.answer(number).body.endswith(b" host")

    def requests_of_a_connection_are_answered_beside_each_other() -> None:
        with client_of(place, port) as client:
            answers_beside_each_other(client)

    def takes_uploads_as_it_receives_them() -> None:
        with client_of(place, port) as client:
            deaf = client.ask("/deaf", method="POST", ends=False)
            size = 1 << 20
            upload = client.ask("/upload", method="POST", ends=False)
            client.upload(upload, bytes(size))
            assert client.answer(upload).body == b"%d" % size
            # What is not received is bounded by the window of its stream, and stops no other.
            assert client.send(deaf, bytes(200_000)) == 65_535
            again = client.ask("/upload", ("content-length", "70000"), method="POST", ends=False)
            client.upload(again, bytes(70_000))
            assert client.answer(again).body == b"70000"
            client.get("/hear")
            client.upload(deaf, b"end")
            assert client.answer(deaf).status == 200

    def sends_as_it_is_read() -> None:
        with client_of(place, port) as client:
            client.reads = False
            endless = client.ask("/endless")
            client.until(lambda: len(client.answers[endless].body) >= 65_535, "the window is used up")
            with client_of(place, port) as other:
                sent = int(other.get("/sent").body)
            assert sent <= 65_535 + 2 * 65_536 + 16_384, "what waits is bounded, and `send` waits"
            client.reset(endless)
            client.reads = True
            client.acknowledge()
            assert client.get("/has-left").status == 200

    def a_reset_is_a_disconnect() -> None:
        with client_of(place, port) as client:
            left = client.ask("/left")
            assert client.get("/x").status == 200
            client.reset(left)
            assert client.get("/has-left").status == 200

    def trailers_hints_and_files() -> None:
        with client_of(place, port) as client:
            answer = client.get("/trailers")
            assert [hint[":status"] for hint in answer.interim] == ["103"]
            assert answer.interim[0]["link"] == "</a.css>; rel=preload"
            assert (answer.body, answer.trailers) == (b"text", {"x-sum": "12"})
            assert client.get("/file").body == b"f" * 300_000

    def failures_are_of_one_stream() -> None:
        with client_of(place, port) as client:
            waits = [client.ask("/x") for _ in range(3)]
            fails, cut = client.ask("/fails"), client.ask("/cut")
            assert client.answer(fails).status == 500
            assert client.answer(cut).reset == INTERNAL_ERROR
            assert [client.answer(number).status for number in waits] == [200] * 3
            head = client.ask("/x", method="HEAD")
            assert (client.answer(head).body, client.answer(head).status) == (b"", 200)

    def is_logged_and_counted() -> None:
        wait_until(lambda: '"POST /upload HTTP/2.0" 200 7' in server.log(), "the access log is written")
        assert totals(server)["thread_errors_total"] == 0, server.log()

    def by_httpx() -> None:
        code = (
            "import httpx\n"
            "with httpx.Client(http1=False, http2=True) as client:\n"
            f"    got = client.post('http://127.0.0.1:{port}/upload', content=bytes(300000))\n"
            "    print(got.http_version, got.status_code, got.text)\n"
        )
        with place.inside():
            command = [str(Path(".venv/bin/python").absolute()), "-c", code]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "HTTP/2 200 300000\n", done.stderr

    def ends_after_what_has_begun() -> None:
        with client_of(place, port) as client:
            upload = client.ask("/upload", method="POST", ends=False)
            client.send(upload, b"x" * 1000)
            assert client.get("/x").status == 200
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "draining" in server.log() or "SIGTERM" in server.log(), "it ends")
            client.upload(upload, b"y" * 1000)
            assert client.answer(upload).body == b"2000"
            client.to_the_end()
            assert client.goodbye == 0
        assert server.wait_end() == 0

    parts = (
        says_its_version_and_no_framing_of_http_1,
        requests_of_a_connection_are_answered_beside_each_other,
        takes_uploads_as_it_receives_them,
        sends_as_it_is_read,
        a_reset_is_a_disconnect,
        trailers_hints_and_files,
        failures_are_of_one_stream,
        is_logged_and_counted,
        by_httpx,
        ends_after_what_has_begun,
    )
    ask_each((part.__name__, part) for part in parts)


def test_wsgi__by_http_2__on_either_stack(place: Place) -> None:
    """Of one server; its end comes last."""
    server = started(place, "h2_sample:wsgi", "--threads", "4")
    port = server.port()

    def says_its_version_and_no_framing_of_http_1() -> None:
        with client_of(place, port) as client:
            number = client.ask("/environ", ("x-a", "b"), method="POST", body=b"hello")
            assert client.answer(number).body == b"HTTP/2.0 http HTTP_HOST,HTTP_X_A"

    def requests_of_a_connection_run_in_the_pool() -> None:
        with client_of(place, port) as client:
            answers_beside_each_other(client)

    def bodies_both_ways_and_files() -> None:
        with client_of(place, port) as client:
            upload = client.ask("/upload", method="POST", ends=False)
            client.upload(upload, bytes(1 << 20))
            assert client.answer(upload).body == b"%d" % (1 << 20)
            assert len(client.get("/download").body) == 20 * 65536
            assert client.get("/file").body == b"f" * 300_000

    def failures_are_of_one_stream() -> None:
        with client_of(place, port) as client:
            fails, cut = client.ask("/fails"), client.ask("/cut")
            assert client.answer(fails).status == 500
            assert client.answer(cut).reset == INTERNAL_ERROR
            assert client.get("/x").status == 200
            assert totals(server)["thread_errors_total"] == 0, server.log()

    def a_reset_ends_the_call() -> None:
        with client_of(place, port) as client:
            client.reads = False
            download = client.ask("/download")
            client.until(lambda: len(client.answers[download].body) >= 65_535, "the window is used up")
            client.reset(download)
            client.reads = True
            client.acknowledge()
            assert [client.get("/x").status for _ in range(5)] == [200] * 5

    def ends() -> None:
        with client_of(place, port) as client:
            assert client.get("/x").status == 200
            server.process.send_signal(signal.SIGTERM)
            client.to_the_end()
            assert client.goodbye == 0
        assert server.wait_end() == 0

    parts = (
        says_its_version_and_no_framing_of_http_1,
        requests_of_a_connection_run_in_the_pool,
        bodies_both_ways_and_files,
        failures_are_of_one_stream,
        a_reset_ends_the_call,
        ends,
    )
    ask_each((part.__name__, part) for part in parts)


MOUNTS = """
[web]
http2 = true
[[mount]]
path = "/asgi"
target = "h2_sample:app"
[[mount]]
path = "/wsgi"
target = "h2_sample:wsgi"
[[mount]]
path = "/native"
target = "h2_sample:native"
"""


def test_mounts__by_http_2__each_request_of_a_connection_to_its_own(place: Place, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(MOUNTS)
    options = ("--config", str(config), "--lifespan", "off")
    server = place.start(*options, PYTHONPATH=FOLDER).wait_ready()
    with client_of(place, server.port()) as client:
        waits = client.ask("/asgi/waits")
        answers = {path: client.get(path) for path in ("/", "/asgi/x", "/wsgi/x", "/native/x", "/none")}
        assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(answers, 200) | {
            "/none": 404
        }
        assert [answer.body for answer in answers.values()][:4] == [
            *(b"hello\n", b"/x", b"/x", b"GET /x HTTP/1.1 0")
        ]
        number = client.ask("/native/y", method="POST", body=b"hello")
        assert client.answer(number).body == b"POST /y HTTP/1.1 %d" % len(b"5\r\nhello\r\n0\r\n\r\n")
        client.get("/asgi/go")
        assert client.answer(waits).status == 200
    assert totals(server)["thread_errors_total"] == 0, server.log()


@pytest.mark.parametrize("target", ["h2_sample:app", "h2_sample:wsgi"])
def test_attacks__end_their_connection_alone(place: Place, target: str) -> None:
    """Each of those that the conversation withstands, against an application."""
    server = started(place, target, "--lifespan", "off", "--set", "web.linger_timeout=200ms")
    port = server.port()

    def attack(data: bytes, code: int) -> None:
        with place.connect(port) as sock:
            sock.settimeout(SECONDS)
            client = H2Client(sock)
            try:
                sock.sendall(data)
                client.to_the_end()
            except (ConnectionResetError, BrokenPipeError):
                return  # More was sent than is dropped.
            assert client.goodbye == code

    ask_each((name, partial(attack, *told)) for name, told in ATTACKS.items())
    with client_of(place, port) as client:
        assert client.get("/x").body == b"/x"
    assert totals(server)["thread_errors_total"] == 0, server.log()
    assert totals(server)["requests_total"] < 100 * len(ATTACKS)


def test_rapid_reset__of_an_application_that_does_not_heed_it__has_as_many_calls_as_streams(
    place: Place,
) -> None:
    """Whoever asks and resets, as often as is allowed, has no more calls waiting than streams."""
    server = started(place, "h2_sample:app", "--lifespan", "off")
    with client_of(place, server.port()) as client:
        waiting = [client.ask("/waits") for _ in range(60)]
        assert client.get("/x").status == 200, "all of them have begun"
        for number in waiting:
            client.reset(number)
        for _ in range(40):
            client.ask("/waits")
        late = client.ask("/x")
        assert client.answer(late).reset == REFUSED_STREAM, "it may ask again"


@pytest.mark.needs("curl")
def test_through_tls__who_wants_http_2_has_it(place: Place) -> None:
    files = ("--ssl-certfile", str(PEMS / "server.pem"), "--ssl-keyfile", str(PEMS / "server.key"))
    server = started(place, "h2_sample:app", "--lifespan", "off", *files)
    asked = ["curl", "-sS", "-m", "30", "--cacert", str(CA), f"https://localhost:{server.port()}/scope"]
    with place.inside():
        for how, version in (("--http2", b"2"), ("--http1.1", b"1.1")):
            done = subprocess.run([*asked, how], capture_output=True, timeout=60, check=True)
            assert done.stdout.startswith(version + b" https ")
