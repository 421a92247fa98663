"""An application that the tests serve."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

Environ = dict[str, Any]
Start = Callable[[str, list[tuple[str, str]]], Any]


def slow(environ: Environ) -> Iterator[bytes]:
    threading.Event().wait(0.5)
    yield environ["PATH_INFO"].encode("latin-1")


def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """What is asked for by its path."""
    path = environ["PATH_INFO"]
    if path == "/fails":
        raise ValueError("a failure of the application's")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/slow":
        return slow(environ)
    if path == "/upload":
        count = 0
        while block := environ["wsgi.input"].read(65536):
            count += len(block)
        return [str(count).encode()]
    if path == "/download":
        return (b"z" * 65536 for _ in range(64))
    client = environ["REMOTE_ADDR"]
    return [f"hello {environ['SCRIPT_NAME']} {path} {client} {environ['wsgi.url_scheme']}".encode("latin-1")]


validated: Any = validator(app)
"""The same, held to PEP 3333 by the standard library, as we are."""


def stuck(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Does not return, at one of its paths."""
    if environ["PATH_INFO"] == "/stuck":
        threading.Event().wait()
    start_response("200 OK", [])
    return [b"answered"]
