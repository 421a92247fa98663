"""Folders, applications and native handlers in one server, each at a path of its own, on either stack."""

import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gossamer.shards.configuration.settings import combine, settings_of_document
from gossamer.shards.exitcode import ConfigError

from ...cli.inside import gossamer
from ...parts import ask_each
from ..conftest import Place, Server, wait_until

Serve = Callable[..., Server]

APPLICATIONS = """
import asyncio

import gossamer
from gossamer import websocket


async def asgi(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    body = f"asgi {scope['root_path']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/fails":
        raise ValueError("of the application's own")
    start_response("200 OK", [])
    length = len(environ["wsgi.input"].read())
    return [f"wsgi {environ['SCRIPT_NAME']} {environ['PATH_INFO']} {length}".encode()]


def cut(environ, start_response):
    start_response("200 OK", [])
    yield b"begun"
    raise ValueError("of the application's own")


def living(name):
    # An ASGI application with a lifespan, whose requests wait for those of others.

    async def app(scope, receive, send):
        global CAME
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            if name == "never":
                await send({"type": "lifespan.startup.failed", "message": "no database"})
                return
            scope["state"]["name"] = name
            print(name, "starts", flush=True)
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            print(name, "ends", flush=True)
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"].endswith("/together"):
            CAME = CAME or asyncio.Event()
            if name == "first":
                await CAME.wait()
            else:
                CAME.set()
        body = f"{name} {scope['state']} {scope['root_path']} {scope['path']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        if scope["path"].endswith("/behind"):
            await asyncio.sleep(0.3)
            print(name, "is done behind its response", flush=True)

    return app


CAME = None
first, second, never = living("first"), living("second"), living("never")


async def native(stream):
    data = await stream.recv()
    await stream.send(b"native " + data.partition(b"\\r\\n")[0] + b"\\n")
    async for data in stream:
        await stream.send(data)
"""

MOUNTS = """
[[mount]]
path = "/asgi"
target = "mounted_apps:asgi"
[[mount]]
path = "/wsgi"
target = "mounted_apps:wsgi"
[[mount]]
path = "/wsgi/cut"
target = "mounted_apps:cut"
[[mount]]
path = "/native"
target = "mounted_apps:native"
[[mount]]
path = "/docs"
target = "{docs}"
"""


@pytest.fixture
def config(site: Path, tmp_path: Path) -> Path:
    """A configuration with a mount of each kind."""
    (tmp_path / "mounted_apps.py").write_text(APPLICATIONS)
    docs = tmp_path / "docs"
    (docs / "inner").mkdir(parents=True)
    (docs / "index.html").write_bytes(b"the docs\n")
    (docs / "inner" / "index.html").write_bytes(b"an inner one\n")
    (site / "asgix").write_bytes(b"a file\n")
    made = tmp_path / "config.toml"
    made.write_text(MOUNTS.format(docs=docs))
    return made


def test_mounts__each_answers_at_its_path(  # noqa: C901 - one server, asked many things
    place: Place, config: Path
) -> None:
    """Of one server; its end comes last."""
    folder = str(config.parent)
    server = place.start("--config", str(config), "--access-log", PYTHONPATH=folder).wait_ready()
    port = server.port()

    def ask(request: bytes) -> bytes:
        with place.connect(port) as client:
            client.sendall(request)
            try:
                return b"".join(iter(lambda: client.recv(1 << 20), b""))
            except ConnectionResetError:
                return b"reset"

    def get(path: str) -> bytes:
        return ask(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())

    def each_answers() -> None:
        answers: Mapping[str, bytes] = {
            "/": b"hello\n",
            "/asgix": b"a file\n",
            "/asgi/x%20y?q": b"asgi /asgi /asgi/x y",
            "/asgi": b"asgi /asgi /asgi/",
            "/wsgi/x/": b"wsgi /wsgi /x/ 0",
            "/docs/": b"the docs\n",
            "/docs/inner/": b"an inner one\n",
        }
        assert {path: get(path).partition(b"\r\n\r\n")[2] for path in answers} == answers

    def folders_without_their_slash_are_moved() -> None:
        assert b"308 Permanent Redirect\r\n" in get("/docs?q")
        assert b"\r\nLocation: /docs/?q\r\n" in get("/docs?q")
        assert b"\r\nLocation: /docs/inner/\r\n" in get("/docs/inner")

    def one_connection_is_answered_by_all_in_turn() -> None:
        lines = b"".join(
            b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path
            for path in (b"/", b"/asgi/1", b"/wsgi/2", b"/docs/", b"/asgi/3")
        )
        post = b"POST /wsgi/4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
        found = re.findall(rb"hello\n|asgi /asgi /asgi/\d|wsgi /wsgi \S+ \d|the docs\n", ask(lines + post))
        assert found == [
            *(b"hello\n", b"asgi /asgi /asgi/1", b"wsgi /wsgi /2 0"),
            *(b"the docs\n", b"asgi /asgi /asgi/3", b"wsgi /wsgi /4 5"),
        ]

    def a_native_handler_has_the_connection() -> None:
        with place.connect(port) as client:
            client.sendall(b"GET /docs/ HTTP/1.1\r\nHost: a\r\n\r\n")
            while not client.recv(1 << 16).endswith(b"the docs\n"):
                pass
            client.sendall(b"GET /native/x HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(100) == b"native GET /x HTTP/1.1\n"
            client.sendall(b"GET /docs/ HTTP/1.1\r\n")
            assert client.recv(100) == b"GET /docs/ HTTP/1.1\r\n"

    def failures_are_of_their_own() -> None:
        assert get("/wsgi/fails").startswith(b"HTTP/1.1 500 ")
        assert get("/wsgi/cut").endswith(b"reset")
        assert get("/docs/none").startswith(b"HTTP/1.1 404 ")
        assert ask(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")

    def all_is_counted_and_logged_as_it_was_asked() -> None:
        totals = lambda: server.status()["workers"][0]["totals"]  # noqa: E731 - asked again and again
        wait_until(lambda: totals()["application_errors_total"] == 2, "two failures")
        wait_until(lambda: '"GET /docs/none HTTP/1.1" 404' in server.log(), "the access log is written")
        assert '"GET /asgi/x%20y?q HTTP/1.1" 200' in server.log()
        assert totals()["thread_errors_total"] == 0

    def a_reload_takes_over_another() -> None:
        with config.open("a") as file:
            file.write(f'[[mount]]\npath = "/new"\ntarget = "{config.parent / "docs" / "inner"}"\n')
        assert server.command("reload").returncode == 0
        wait_until(lambda: get("/new/").endswith(b"\r\n\r\nan inner one\n"), "the new mount answers")
        assert get("/docs/").endswith(b"the docs\n")

    def all_end_together() -> None:
        with place.connect(port) as idle:
            idle.sendall(b"GET /wsgi/ HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"wsgi /wsgi / 0" in idle.recv(1 << 16)
            server.process.send_signal(signal.SIGTERM)
            assert idle.recv(100) == b""
        assert server.wait_end() == 0

    parts = (
        each_answers,
        folders_without_their_slash_are_moved,
        one_connection_is_answered_by_all_in_turn,
        a_native_handler_has_the_connection,
        failures_are_of_their_own,
        all_is_counted_and_logged_as_it_was_asked,
        a_reload_takes_over_another,
        all_end_together,
    )
    ask_each((part.__name__, part) for part in parts)


SEVERAL = """
[server]
target = "mounted_apps:first"
[[mount]]
path = "/second"
target = "mounted_apps:second"
[[mount]]
path = "/third"
target = "mounted_apps:asgi"
"""


def test_several_asgi_applications__each_has_its_own_life(place: Place, config: Path) -> None:
    config.write_text(SEVERAL)
    options = ("--config", str(config), "--root-path", "/r")
    server = place.start(*options, target="mounted_apps:first", PYTHONPATH=str(config.parent)).wait_ready()
    port = server.port()

    def get(path: str) -> bytes:
        with place.connect(port) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: client.recv(1 << 16), b"")).partition(b"\r\n\r\n")[2]

    assert get("/x") == b"first {'name': 'first'} /r /r/x"
    assert get("/second/x") == b"second {'name': 'second'} /r/second /r/second/x"
    assert get("/third/x") == b"asgi /r/third /r/third/x"
    with place.connect(port) as waiting:
        waiting.sendall(b"GET /together HTTP/1.1\r\nHost: a\r\n\r\n")
        assert get("/second/together").startswith(b"second ")
        assert b"\r\n\r\nfirst " in waiting.recv(1 << 16)
    assert get("/second/behind").startswith(b"second ")
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_end() == 0
    told = re.findall(r"^(?:first|second) (?:starts|ends|is done behind its response)$", server.log(), re.M)
    assert told[:2] == ["first starts", "second starts"]
    assert sorted(told[2:]) == ["first ends", "second ends", "second is done behind its response"]
    assert told.index("second is done behind its response") < told.index("second ends")


def test_several_asgi_applications__one_that_does_not_start__is_named(serve: Serve, config: Path) -> None:
    config.write_text(SEVERAL.replace("mounted_apps:asgi", "mounted_apps:never"))
    server = serve("--config", str(config), target="mounted_apps:first", PYTHONPATH=str(config.parent))
    assert server.wait_end() == 3, server.log()
    assert "mount /third: the application says that it failed to start: no database" in server.log()
    assert "Traceback" not in server.log()


def mount(**table: object) -> dict[str, object]:
    return {"path": "/a", "target": "a:b", **table}


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            [mount(path="api")],
            "[[mount]] 1: path: found 'api'; allowed: a path such as \"/api\", with a slash in front",
        ),
        ([mount(path="/")], "path: found '/'; allowed: "),
        ([mount(path="/api/")], "path: found '/api/'; allowed: "),
        ([mount(path="/a//b")], "path: found '/a//b'; allowed: "),
        ([mount(path="/a?b")], "path: found '/a?b'; allowed: "),
        ([mount(path="/a%20b")], "path: found '/a%20b'; allowed: "),
        ([mount(), mount()], "[[mount]] 2: found path '/a' again"),
        ([{"path": "/a"}], "[[mount]] 1: found {'path': '/a'}; allowed: path and target"),
        ([mount(port=1)], "allowed: path and target"),
        ([mount(target=1)], "[[mount]] 1: target: found 1; allowed: a text"),
        ([mount(target="")], "[[mount]] 1: target: found ''; allowed: a text"),
        (mount(), "allowed: tables [[mount]]"),
    ],
)
def test_mount__that_is_none__is_one_line(tables: object, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        combine(settings_of_document({"mount": tables}, "config.toml"))
    assert said in str(error.value)
    assert str(error.value).startswith("config.toml: ")
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


def test_mounts__are_printed_and_read_back(config: Path) -> None:
    done = gossamer("serve", "--config", str(config), "--print-config")
    again = config.with_name("again.toml")
    again.write_text(done.stdout)
    assert gossamer("serve", "--config", str(again), "--print-config").stdout == done.stdout
    assert '[[mount]]\npath = "/wsgi/cut"\ntarget = "mounted_apps:cut"' in done.stdout


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            "no/such/folder",
            "mount /m: target: found 'no/such/folder'; allowed: a folder that exists, or module:attribute",
        ),
        ("mounted_apps:none", "mount /m: TARGET 'mounted_apps:none': module 'mounted_apps' has no 'none'"),
        ("mounted_apps:APPS", "mount /m: TARGET 'mounted_apps:APPS': module 'mounted_apps' has no 'APPS'"),
        ("no_such_module:app", "mount /m: module 'no_such_module' cannot be imported"),
    ],
)
def test_mount__of_a_wrong_target__is_one_line_and_exit_2(
    serve: Serve, config: Path, target: str, said: str
) -> None:
    with config.open("a") as file:
        file.write(f'[[mount]]\npath = "/m"\ntarget = "{target}"\n')
    server = serve("--config", str(config), PYTHONPATH=str(config.parent))
    assert server.wait_end() == 2, server.log()
    assert said in server.log()
    assert "Traceback" not in server.log()
