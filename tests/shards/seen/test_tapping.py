"""How a worker is told to tell of its packets."""

import os
import socket

import pytest

from gossamer.shards.letters.handing import NAME_BYTES_MAX
from gossamer.shards.seen.connectiontable import ROWS_MAX, ConnectionsWanted
from gossamer.shards.seen.tapping import require_message_socket, rows_name, tap_name, trace_name


def test_name__with_an_address_as_it_is_meant() -> None:
    assert (tap_name(2, ""), tap_name(2, "2001:DB8:0::1")) == ("capture 2", "capture 2 2001:db8::1")
    with pytest.raises(ValueError, match="é"):
        tap_name(0, "é")


LONGEST = "2001:db8:1111:2222:3333:4444:5555:6666"


def test_name__the_longest_of_each_kind__finds_room() -> None:
    wanted = ConnectionsWanted("bytes", ROWS_MAX, LONGEST)
    assert rows_name(0, ConnectionsWanted("age", 5, "::FFFF:1.2.3.4")) == "rows 0 age 5 1.2.3.4"
    assert trace_name(7, "::1", 80) == "trace 7 ::1 80"
    names = rows_name(4095, wanted), trace_name(4095, LONGEST, 65535), tap_name(4095, LONGEST)
    assert max(map(len, names)) <= NAME_BYTES_MAX


@pytest.mark.parametrize(
    ("peer", "port", "what"), [("a b", 1, "a b"), ("::1", 0, "found port 0"), ("::1", 65536, "allowed: 1 to")]
)
def test_trace__of_what_is_no_peer__says_what_is_allowed(peer: str, port: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        trace_name(0, peer, port)


@pytest.mark.parametrize("rows", [0, ROWS_MAX + 1])
def test_rows__too_many_or_none__says_what_is_allowed(rows: int) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to 1000"):
        rows_name(0, ConnectionsWanted("age", rows))


def test_descriptor__that_is_no_socket_of_messages__refused() -> None:
    with open(os.devnull) as file, pytest.raises(OSError, match="non-socket"):
        require_message_socket(file.fileno())
    with socket.socket(socket.AF_UNIX) as stream, pytest.raises(OSError, match="wrong type"):
        require_message_socket(stream.fileno())
