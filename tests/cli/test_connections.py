"""`gossamer connections` as people read it; `tests/shards/seen/test_connectionrows.py` asks servers."""

import io

import pytest
from rich.console import Console

from gossamer.cli.connections import drawn, short_octets, short_time, told_of
from gossamer.shards.seen.connectiontable import ConnectionRow, ConnectionTable

from .inside import gossamer


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (3 << 20, "3.0 MiB"),
        (5 << 40, "5120.0 GiB"),
    ],
)
def test_octets__as_they_are_read(octets: int | None, text: str) -> None:
    assert short_octets(octets) == text


@pytest.mark.parametrize(
    ("us", "text"),
    [(None, "-"), (0, "0.0 s"), (59_900_000, "59.9 s"), (90_000_000, "1.5 min"), (5_400_000_000, "1.5 h")],
)
def test_time__as_it_is_read(us: int | None, text: str) -> None:
    assert short_time(us) == text


@pytest.mark.parametrize(
    ("total", "left_out", "is_whole", "silent", "told"),
    [
        (1, 0, True, (), "1 connection"),
        (1200, 1150, True, (), "1,200 connections; 1,150 of them left out (--rows)"),
        (0, 0, False, (1, 3), "0 connections; no answer of workers 1, 3"),
        (9, 0, False, (), "9 connections; a worker has more than it looks at"),
    ],
)
def test_told__what_is_missing(
    total: int, left_out: int, is_whole: bool, silent: tuple[int, ...], told: str
) -> None:
    assert told_of(ConnectionTable("age", [], total, left_out, is_whole, silent)) == told


def test_table__what_a_peer_is_called_stays_text() -> None:
    output = io.StringIO()
    row = ConnectionRow("[bold]x", "l", "ESTABLISHED", "[::1]:5", srtt_us=1500, worker=3)
    Console(file=output, width=160).print(drawn([row]))
    line = output.getvalue().splitlines()[1]
    assert line.split() == ["3", "[bold]x", "for", "[::1]:5", "ESTABLISHED", "-", "1.5", *"------"]


@pytest.mark.parametrize("command", [("connections",), ("capture", "/dev/null")])
def test_peer__that_is_no_address__one_line(command: tuple[str, ...]) -> None:
    done = gossamer(*command, "--peer", "a.example")
    allowed = "gossamer: --peer: found 'a.example'; allowed: an IP address\n"
    assert (done.returncode, done.stderr) == (2, allowed)
