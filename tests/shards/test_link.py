"""What two workers write to each other, in whichever build of the core they run."""

import msgspec
import pytest

from gossamer.core.loop.tcp.moving import MovedConnection, Standing
from gossamer.shards.link import Taken, read, written


def test_connection__on_its_way__read_as_it_was_written() -> None:
    moved = MovedConnection(bytes(36), Standing.RESTING, b"record", 77, announced=b"a" * 36)
    found = read(memoryview(written(moved)))
    assert type(found) is MovedConnection
    assert found.announced == b"a" * 36
    assert (found.flow, found.place, found.record, found.until_us) == (
        bytes(36),
        Standing.RESTING,
        b"record",
        77,
    )
    assert isinstance(read(memoryview(written(Taken()))), Taken)


def test_connection__in_no_place_that_there_is__refused() -> None:
    octets = msgspec.msgpack.encode(["moved", bytes(36), 99, b"", 1])
    with pytest.raises(msgspec.DecodeError, match="99"):
        read(memoryview(octets))


@pytest.mark.parametrize("kind", ["moved", "packet"])
def test_flow__of_another_length__refused(kind: str) -> None:
    rest = [0, b"", 1] if kind == "moved" else [[0] * 9, b""]
    with pytest.raises(msgspec.ValidationError, match="36"):
        read(memoryview(msgspec.msgpack.encode([kind, bytes(35), *rest])))
