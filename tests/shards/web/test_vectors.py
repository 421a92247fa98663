"""Raw vectors against the site in memory, and against a server of each stack."""

import contextlib
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.http.client import ResponseReader

from .vectors import PROBE, Look, Vector, all_vectors, write_site

VECTORS = all_vectors()
VECTORS_MIN = 300
OCTETS_MAX = 400
"""A longer vector is not sent octet by octet."""


def looked_at(sent: bytes, looks: Sequence[Look]) -> list[Look]:
    """Of each response what the vector looks at."""
    interim = sent.count(b"HTTP/1.1 100 Continue\r\n\r\n")
    reader, found = ResponseReader(), [Look(100, "")] * interim
    reader.receive(sent)
    reader.receive(b"")
    wanted = list(looks)[interim:]
    while reader.has_input:
        response = reader.next_response()
        assert response is not None
        body = b""
        while part := reader.next_body():
            body += part
        detail = wanted.pop(0).detail if wanted else ""
        if "-" in detail:
            detail = (response.field("content-range") or "").removeprefix("bytes ").partition("/")[0]
        elif detail:
            detail = str(len(body))
        found.append(Look(response.status, detail))
    return found


def verdict(vector: Vector, sent: bytes) -> str:
    """ "" where it is as the vector says; else what it is."""
    try:
        found = looked_at(sent, vector.looks)
    except Exception as error:  # noqa: BLE001 - whatever is no HTTP is a failure of this vector alone
        return f"{vector.place}: {error!r} in {sent[:200]!r}"
    expected = [*vector.looks, *([Look(200, "")] if vector.lives_on else [])]
    if found == expected:
        return ""
    shown = " ".join(f"{status}:{detail}" for status, detail in found)
    return f"{vector.place}: {shown or 'nothing'}, {vector.rule}: {b''.join(vector.pieces)[:120]!r}"


def test_there_are_enough__each_with_its_rule() -> None:
    assert len(VECTORS) >= VECTORS_MIN
    assert all(vector.rule for vector in VECTORS)
    assert len({vector.pieces for vector in VECTORS}) == len(VECTORS), "each says something of its own"


@pytest.fixture
def answer_of(bench: Any) -> Callable[[Sequence[bytes]], bytes]:
    """What the site in memory sends to these pieces."""
    write_site(bench.folder)

    def talk(script: Sequence[bytes]) -> bytes:
        stream = bench.stream(*script)
        bench.serve(stream)
        sent: bytes = stream.sent
        return sent

    return talk


def test_in_memory__whole(answer_of: Callable[[Sequence[bytes]], bytes]) -> None:
    wrong = [verdict(vector, answer_of([*vector.pieces, PROBE])) for vector in VECTORS]
    assert not any(wrong), "\n".join(filter(None, wrong))


def test_in_memory__octet_by_octet(answer_of: Callable[[Sequence[bytes]], bytes]) -> None:
    wrong = []
    for vector in VECTORS:
        sent = b"".join(vector.pieces)
        if len(sent) <= OCTETS_MAX:
            script = [bytes([octet]) for octet in sent + PROBE]
            wrong.append(verdict(without_interim(vector), without_100(answer_of(script))))
    assert not any(wrong), "\n".join(filter(None, wrong))


def without_interim(vector: Vector) -> Vector:
    """The vector without its 100: whether that is sent depends on how much has come."""
    return vector._replace(looks=tuple(look for look in vector.looks if look.status != 100))


def without_100(sent: bytes) -> bytes:
    return sent.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")


def exchange(client: socket.socket, vector: Vector) -> bytes:
    """What comes over a connection to the end."""
    got = b""
    with client, contextlib.suppress(ConnectionError):
        for number, piece in enumerate((*vector.pieces, PROBE)):
            if 0 < number < len(vector.pieces):
                got += client.recv(65536)
            client.sendall(piece)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        while data := client.recv(65536):
            got += data
    return got


def test_of_each_stack(place: Any, tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    folder.mkdir()
    write_site(folder)
    server = place.start("--workers", "1", target=str(folder)).wait_ready()
    port = server.port()
    wrong = [verdict(vector, exchange(place.connect(port), vector)) for vector in VECTORS]
    assert not any(wrong), "\n".join(filter(None, wrong))
    worker = server.status()["workers"][0]
    assert (worker["restarts"], worker["thread_errors_total"]) == (0, 0)
