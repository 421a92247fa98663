"""gossamer capture: the packets of a running server's functional TCP into a file, each with its reason.

Owns the file and the end of a capture. The workers send the packets (`shards.seen.tap`); no packet socket is
needed, and nothing is seen of kernel sockets.
"""

import contextlib
import os
import socket
import time
from typing import IO, Final

import click
import msgspec

from gossamer.cli.duration import Duration
from gossamer.cli.pcapng import file_head, packet_block
from gossamer.cli.peers import checked_peer
from gossamer.cli.status import fetch_status, run_dir_options
from gossamer.core.clock import SECOND_US
from gossamer.shards.configuration.config import WORKERS_MAX
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.rundir.control import ControlRequest, ask
from gossamer.shards.rundir.rundir import CONTROL, find_run_dir
from gossamer.shards.seen.tap import RECORD_BYTES_MAX, TapRecord

PACKETS_DEFAULT: Final = 100_000
LOOK_SECONDS: Final = 0.2


class Writing:
    """A file that is being filled. Bounds: so many packets."""

    def __init__(self, file: IO[bytes], packets_max: int) -> None:
        self._file = file
        self._packets_max = packets_max
        self.packets_total = 0
        self._lost: dict[int, int] = {}
        file.write(file_head([f"worker {number}" for number in range(WORKERS_MAX)], "gossamer capture"))

    @property
    def is_full(self) -> bool:
        """Whether no more is to be written."""
        return self.packets_total >= self._packets_max

    @property
    def lost_total(self) -> int:
        """Packets that this program was too slow for."""
        return sum(self._lost.values())

    def add(self, record: TapRecord) -> None:
        """Write one packet."""
        self._lost[record.worker] = record.lost_total
        self._file.write(
            packet_block(
                record.worker % WORKERS_MAX,
                record.wall_us,
                record.packet,
                record.reason,
                is_out=record.is_out,
            )
        )
        self.packets_total += 1


def _receive(channel: socket.socket, writing: Writing, seconds: float) -> None:
    """Take packets until there are enough, the time is over, or nobody sends any more."""
    decode = msgspec.msgpack.Decoder(TapRecord).decode
    channel.settimeout(LOOK_SECONDS)
    deadline = time.monotonic() + seconds
    while not writing.is_full and time.monotonic() < deadline:
        try:
            message = channel.recv(RECORD_BYTES_MAX)
        except TimeoutError:
            continue
        if not message:
            return
        writing.add(decode(message))


def _opened(file: str) -> IO[bytes]:
    """The file, empty, and for its owner alone: what people send stands in it. Raises: CannotStartError."""
    try:
        return open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise CannotStartError(f"{file}: {error.strerror}") from error


@click.command(epilog="Example: gossamer capture --peer 192.0.2.7 --duration 10s slow.pcapng")
@run_dir_options
@click.option("--worker", type=click.IntRange(min=0), help="Of that worker alone.  [all]")
@click.option("--peer", default="", help="With that address alone.  [any]")
@click.option(
    "--packets", type=click.IntRange(min=1), default=PACKETS_DEFAULT, show_default=True, help="At most."
)
@click.option("--duration", type=Duration(), default="24h", help="How long.  [until Ctrl-C]")
@click.argument("file")
def capture(
    run_dir: str | None,
    port: int | None,
    worker: int | None,
    peer: str,
    packets: int,
    duration: int,
    file: str,
) -> None:
    """Write the packets of the functional TCP to FILE (pcapng), each with the rule that sent it."""
    wanted, directory = checked_peer(peer), find_run_dir(run_dir, port)
    fetch_status(directory)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, _opened(file) as opened:
        writing = Writing(opened, packets)
        ask(directory / CONTROL, ControlRequest("capture", worker, wanted), theirs.fileno())
        theirs.close()
        # Ctrl-C is how one ends it: what came is in the file.
        with contextlib.suppress(KeyboardInterrupt):
            _receive(ours, writing, duration / SECOND_US)
    lost = f", {writing.lost_total} more came too fast" if writing.lost_total else ""
    click.echo(f"{writing.packets_total} packets in {file}{lost}")
