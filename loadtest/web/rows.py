"""What is asked of the contenders: a table, a row each.

Owns names, words and numbers; `wrk.py` and `curl.py` make command lines of them, `stage.py` the losses.
"""

from typing import Final, Literal

import msgspec

KIB: Final = 1 << 10
MB: Final = 1_000_000
SMALL_BYTES: Final = KIB
LARGE_BYTES: Final = 64 * KIB
SMALL: Final = "/1k.bin"
LARGE: Final = "/64k.bin"
BULK: Final = "/bulk.bin"
HELLO: Final = "/hello"
HELLO_BODY: Final = b"Hello, world!"
NATIVE: Final = "/native/"
"""Where a native handler is mounted beside an application."""
MESSAGE_BYTES: Final = 64
"""Of a WebSocket's echo."""
BULK_VARIABLE: Final = "GOSSAMER_BENCH_BULK_BYTES"
"""The environment variable that tells the Python peers how long it is."""
ROUND_TRIP_US: Final = 20_000

MEGABYTE: Final = "MB"

Work = Literal["ask", "download", "upload", "echo"]
Service = Literal["site", "sink", "tls", "echo"]
"""Files and whatever else there is; a place for uploads, or for WebSockets, which for ours without an
application are servers of their own; and the first of these through TLS."""


class AskedRow(msgspec.Struct, frozen=True):
    """One kind of work."""

    name: str
    title: str
    work: Work = "ask"
    path: str = SMALL
    connections: int = 64
    pipeline: int = 1
    is_closing: bool = False
    """Whether each request has a connection of its own."""
    is_encrypted: bool = False
    """Whether all goes through TLS."""
    loss_percent: float = 0.0
    """Of the packets: both ways through the relay, towards the client where there is no delay."""
    round_trip_us: int = 0
    """Delay and loss together take the relay of `loadtest.link` in the veth pair's place."""
    patience: int = 1
    """How many times as long as others a sample lasts: what is lost now and then wants time."""

    @property
    def unit(self) -> str:
        """What the cost is divided by."""
        return UNITS.get(self.work, MEGABYTE)

    @property
    def has_latency(self) -> bool:
        """Whether each unit is waited for."""
        return self.unit != MEGABYTE


UNITS: Final[dict[Work, str]] = {"ask": "request", "echo": "message"}


def _lossy(percent: float) -> AskedRow:
    words = f"download for a time, {percent:g} % lost each way, round trip {ROUND_TRIP_US // 1000} ms"
    return AskedRow(
        f"loss-{percent:g}",
        words,
        "download",
        BULK,
        1,
        loss_percent=percent,
        round_trip_us=ROUND_TRIP_US,
        patience=3,
    )


_ROWS: Final = (
    AskedRow("keep-alive", "GET of 1 KiB, keep-alive, 64 connections"),
    AskedRow("pipelining", "GET of 1 KiB, 16 at once, 64 connections", pipeline=16),
    AskedRow("new-connection", "GET of 1 KiB, a connection for each, 64 at a time", is_closing=True),
    AskedRow("64k", "GET of 64 KiB, keep-alive, 64 connections", path=LARGE),
    AskedRow("bulk-down", "one download", "download", BULK, 1),
    AskedRow("bulk-up", "one upload", "upload", BULK, 1),
    AskedRow(
        "loss-1-near",
        "download, 1 % lost towards the client, no delay",
        "download",
        BULK,
        1,
        loss_percent=1.0,
    ),
    _lossy(0.1),
    _lossy(1.0),
    _lossy(3.0),
    AskedRow("asgi", "GET of a hello of an application's, keep-alive, 64 connections", path=HELLO),
    AskedRow("tls", "GET of 1 KiB through TLS, keep-alive, 64 connections", is_encrypted=True),
    AskedRow("websocket", "messages of 64 octets and their echoes, 64 WebSockets", "echo", "/"),
    AskedRow("beside", "GET of a native handler, keep-alive, 64 connections", path=NATIVE),
)
ROWS: Final = {row.name: row for row in _ROWS}
LOSSY: Final = tuple(row.name for row in _ROWS if row.loss_percent)
APPLIED: Final = ("asgi", "tls", "websocket", "beside")
"""What is asked of applications and those beside whom they stand."""
WHOLE: Final = tuple(row.name for row in _ROWS if not row.loss_percent and row.name not in APPLIED)
