"""What only the receiver on the NetfilterQueue package does: short copies, and a socket of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK, Segment
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets

nfqueue_package = pytest.importorskip(
    "gossamer.ffi.nfqueue_package", reason="needs the package NetfilterQueue"
)

pytestmark = pytest.mark.needs("nfqueue")


@pytest.fixture
def sink(diverted: Any, kept: Callable[..., Any]) -> RawSink:
    """A sink in the namespace of the queue."""
    del diverted
    v4, v6 = (kept(raw) for raw in open_raw_sockets())
    made: RawSink = kept(RawSink(v4.fileno(), v6.fileno()))
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_recv_batch__more_than_it_copies__truncated(
    diverted: Any, kept: Callable[..., Any], sink: RawSink, host: str
) -> None:
    source = kept(nfqueue_package.NetfilterQueueSource(diverted.queue))
    flow = pack_flow((host, 40_002), (host, diverted.port))
    headers_bytes = 60 if ":" in host else 40
    fits = Segment(1, 2, ACK, 3, payload=b"x" * (nfqueue_package.COPY_MAX_BYTES - headers_bytes))
    for payload in (fits.payload, fits.payload + b"x", bytes(60_000), b"after"):
        sink.emit(flow, Segment(1, 2, ACK, 3, payload=payload))
    assert sink.flush() == 4
    after = Segment(1, 2, ACK, 3, payload=b"after")
    found = [value for _, value in diverted.take(source, 4)]
    assert found == [fits, DropReason.TRUNCATED, DropReason.TRUNCATED, after]


def test_source__queue_taken__os_error(diverted: Any, kept: Callable[..., Any]) -> None:
    kept(nfqueue_package.NetfilterQueueSource(diverted.queue))
    with pytest.raises(OSError, match=str(diverted.queue)):
        nfqueue_package.NetfilterQueueSource(diverted.queue)


def test_close__queue_is_free_again(diverted: Any) -> None:
    nfqueue_package.NetfilterQueueSource(diverted.queue).close()
    nfqueue_package.NetfilterQueueSource(diverted.queue).close()
