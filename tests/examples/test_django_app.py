"""examples/django_app.py, run by itself and by workers on either stack."""

import http.client
import json

import pytest

from .conftest import Place
from .programs import EXAMPLES, SECONDS, example, running


def ask(port: int) -> None:
    """All that it does, on one connection."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def answer(method: str, path: str, body: bytes | None = None) -> bytes:
        client.request(method, path, body)
        response = client.getresponse()
        assert response.status == 200, response.read()
        return response.read()

    assert answer("GET", "/hello/?name=world") == b"Hello, world\n"
    assert json.loads(answer("POST", "/echo/", b"x" * 100_000)) == {"method": "POST", "length": 100_000}
    assert answer("GET", "/source/") == (EXAMPLES / "django_app.py").read_bytes()
    assert answer("GET", "/count/3/") == b"0\n1\n2\n"
    client.request("GET", "/hello")
    moved = client.getresponse()
    assert (moved.status, moved.headers["Location"]) == (301, "/hello/")
    client.close()


def test_project__on_its_own() -> None:
    with running(example("django_app.py", 0)) as program:
        ask(program.port)


@pytest.mark.needs("open-checkout")  # Django imports much of itself later, as the workers' user
def test_project__by_workers_on_either_stack(place: Place) -> None:
    with place.serving("examples.django_app:application") as server:
        ask(server.port)
