"""The access log: lines of the common log format, and nothing that a peer can forge."""

import re
from typing import Any

import pytest

from gossamer.shards.web.access_log import HEADS_BYTES_MAX, NOTES_MAX, AccessLog
from gossamer.shards.web.log_layout import layout_of

WALL_US = 784111777 * 1_000_000
HEAD = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
LINE = b'198.51.100.7 - - [06/Nov/1994:08:49:37 +0000] "GET /x HTTP/1.1" 200 5\n'


class Peer:
    """A stream that only knows its peer."""

    peer = ("198.51.100.7", 40000)


class GonePeer:
    """A stream whose peer is gone."""

    @property
    def peer(self) -> tuple[str, int]:
        raise OSError


@pytest.fixture
def written() -> list[bytes]:
    return []


def test_line__common_log_format__on_flush_only(written: list[bytes]) -> None:
    log = AccessLog(written.append, lambda: WALL_US)
    peer: Any = Peer()
    log(peer, HEAD, 200, 5)
    log(peer, HEAD, 200, 5)
    assert written == []
    log.flush()
    log.flush()
    assert written == [LINE * 2]


def test_full__written_at_once__bounded(written: list[bytes]) -> None:
    log = AccessLog(written.append, lambda: WALL_US)
    peer: Any = Peer()
    for _ in range(NOTES_MAX + 1):
        log(peer, HEAD, 200, 5)
    assert written == [LINE * NOTES_MAX]
    assert len(log.notes) == 1


def test_heads__kept_for_their_fields_alone__bounded(written: list[bytes]) -> None:
    peer: Any = Peer()
    head = HEAD[:-2] + b"Referer: " + b"x" * 30_000 + b"\r\n\r\n"
    common, combined = AccessLog(written.append), AccessLog(written.append, layout=layout_of("combined"))
    for _ in range(HEADS_BYTES_MAX // len(head) + 1):
        common(peer, head, 200, 5)
        combined(peer, head, 200, 5)
    assert len(written) == 1
    assert common.notes[0].head == b"GET /x HTTP/1.1"


def test_peer_gone_and_no_head(written: list[bytes]) -> None:
    log = AccessLog(written.append, lambda: WALL_US)
    gone: Any = GonePeer()
    log(gone, b"", 408, 0)
    log.flush()
    assert written == [b'- - - [06/Nov/1994:08:49:37 +0000] "" 408 0\n']


def test_forged_line__escaped(written: list[bytes]) -> None:
    log = AccessLog(written.append, lambda: WALL_US)
    peer: Any = Peer()
    log(peer, b'GET /"\n1.2.3.4 - \\ \x1b[2J\xff HTTP/1.1\r\n\r\n', 400, 0)
    log(peer, b"x" * 100_000, 414, 0)
    log.flush()
    first, second, end = written[0].split(b"\n")
    assert end == b""
    assert re.fullmatch(rb'[^"]*"[\x20-\x21\x23-\x7e]*" 400 0', first)
    assert len(second) < 2000
