"""The applications of examples/ by ASGI: each served as its head says, on either stack."""

import hashlib
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.loadtest.namespaces import Namespace

from ..parts import ask_each
from ..shards.conftest import Place, Server, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*argv: str, target: str, prefix: tuple[str, ...] = ()) -> Server:
        arguments = [f"examples.{target}", "--workers", "1", "--port", "0", *argv]
        server = Server(tmp_path / target.partition(":")[0], arguments, list(prefix), PYTHONPATH=str(ROOT))
        started.append(server)
        return server

    yield start
    for server in started:
        server.end()


@pytest.fixture(params=["kernel", pytest.param("nfqueue", marks=pytest.mark.needs("nfqueue"))])
def stack(request: pytest.FixtureRequest, servers: Callable[..., Server]) -> Place:
    namespace: Namespace | None = None
    if request.param == "nfqueue":
        namespace = request.getfixturevalue("namespace")
    return Place(request.param, servers, namespace)


class Asked:
    """A client of one server, on one connection."""

    def __init__(self, place: Place, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.connection.sock = place.connect(port)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, fields)
        response = self.connection.getresponse()
        return response.status, response.read()

    def json(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        encoded = None if body is None else json.dumps(body)
        status, got = self(method, path, encoded, Content_Type="application/json")
        return status, json.loads(got)


def fastapi_app(ask: Asked) -> None:
    lamp = {"name": "lamp", "price": 9.5}
    assert ask.json("POST", "/items", lamp) == (201, lamp)
    wait_until(lambda: ask.json("GET", "/items?cheaper_than=10") == (200, [lamp]), "the background is done")
    assert ask.json("GET", "/items?cheaper_than=9") == (200, [])
    assert ask.json("POST", "/items", {"name": "lamp"})[0] == 422
    assert ask("GET", "/count/1000") == (200, b"".join(b"%d\n" % number for number in range(1000)))
    assert ask("GET", "/openapi.json")[0] == 200


def starlette_app(ask: Asked) -> None:
    assert ask.json("GET", "/") == (200, {"hello": "127.0.0.1", "path": "/"})
    for upload in (b"", b"x" * 5_000_000):
        assert ask("PUT", "/digest", upload) == (200, hashlib.sha256(upload).hexdigest().encode())
    assert ask("GET", "/source") == (200, (ROOT / "examples" / "starlette_app.py").read_bytes())
    assert ask("GET", "/absent")[0] == 404


def litestar_app(ask: Asked) -> None:
    assert ask.json("GET", "/square/12") == (200, {"square": 144, "unit": "apples"})
    assert ask.json("POST", "/sum", {"numbers": [1, 2, 3]}) == (201, 6)
    assert ask.json("POST", "/sum", {"numbers": ["x"]})[0] == 400


def quart_app(ask: Asked) -> None:
    assert ask.json("GET", "/hello?name=ada") == (200, {"hello": "ada"})
    assert ask("POST", "/echo", b"\0\xff" * 1000) == (200, b"\0\xff" * 1000)
    assert ask("GET", "/ticks") == (200, b"tick 0\ntick 1\ntick 2\n")


def django_asgi(ask: Asked) -> None:
    assert ask.json("GET", "/") == (200, {"method": "GET", "path": "/"})
    assert ask("POST", "/length", b"some text") == (200, b"9 octets\n")
    assert ask("GET", "/count/3") == (200, b"0\n1\n2\n")
    assert ask("GET", "/absent")[0] == 404


APPLICATIONS = {fastapi_app: "app", starlette_app: "app", litestar_app: "app", quart_app: "app"} | {
    django_asgi: "application"
}


@pytest.mark.needs("open-checkout")  # frameworks import some of themselves later, as the workers' user
def test_examples__served_on_either_stack(stack: Place) -> None:
    def served(asks: Callable[[Asked], None]) -> None:
        server = stack.start(target=f"{asks.__name__}:{APPLICATIONS[asks]}").wait_ready()
        ask = Asked(stack, server.port())
        try:
            asks(ask)
            assert "Traceback" not in server.log()
        except BaseException as error:
            error.add_note(server.log())
            raise
        finally:
            ask.connection.close()
            server.end()

    ask_each((asks.__name__, lambda asks=asks: served(asks)) for asks in APPLICATIONS)
