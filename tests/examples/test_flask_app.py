"""examples/flask_app.py, run by itself and by workers on either stack."""

import hashlib
import http.client
import json
from collections.abc import Iterator

import pytest

from .conftest import Place
from .programs import SECONDS, example, running

LARGE = bytes(range(256)) * 8192


def ask(port: int) -> None:
    """All that it does, on one connection."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def answer(method: str, path: str, body: bytes | Iterator[bytes] | None = None, kind: str = "") -> bytes:
        chunked = body is not None and not isinstance(body, bytes)
        fields = {"Content-Type": kind} if kind else {}
        client.request(method, path, body, fields, encode_chunked=chunked)
        response = client.getresponse()
        assert response.status == 200, response.read()
        return response.read()

    assert answer("GET", "/hello/w%C3%B6rld") == "Hello, wörld, from 127.0.0.1\n".encode()
    assert answer("HEAD", "/hello/world") == b""
    form = answer("POST", "/form", b"a=b&c=d", "application/x-www-form-urlencoded")
    assert json.loads(form) == {"a": "B", "c": "D"}
    wanted = hashlib.sha256(LARGE).hexdigest().encode()
    assert answer("PUT", "/digest", LARGE) == wanted
    assert answer("PUT", "/digest", iter([LARGE[:5], LARGE[5:]])) == wanted
    assert answer("GET", "/count/3") == b"0\n1\n2\n"
    client.request("GET", "/nowhere")
    assert client.getresponse().status == 404
    client.close()


def test_application__on_its_own() -> None:
    with running(example("flask_app.py", 0)) as program:
        ask(program.port)


@pytest.mark.needs("open-checkout")  # Flask imports some of itself later, as the workers' user
def test_application__by_workers_on_either_stack(place: Place) -> None:
    with place.serving("examples.flask_app:app") as server:
        ask(server.port)
