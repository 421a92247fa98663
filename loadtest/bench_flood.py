"""What a flood of SYNs costs a worker over a link, and how newcomers fare meanwhile.

    python -m gossamer.loadtest.bench_flood [SYNS_PER_S ...]

Two namespaces and a veth: in the one a server of one worker on the functional TCP, in the other a sender of
SYNs whose addresses are nobody's, and a client that opens one connection after another. Owns that
measurement, and the sender, a process of its own. The figure is the whole CPU time of the worker for each SYN
that came to it, with what the kernel does in its name; what the newcomers cost without a flood is taken off.
On a busy machine the worker waits for a processor while SYNs come: run it with `chrt -r 1`. `bench_syn` has
the Python of it alone.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.segment import SYN, Segment, SynOptions
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest.cpu import processes_ns
from gossamer.loadtest.namespaces import (
    LEFT_V4,
    RIGHT_V4,
    Namespace,
    NamespaceError,
    join_by_veth,
    missing_requirement,
    pair,
)
from gossamer.loadtest.servers import Gossamer, is_answered, running, start_gossamer

RATES: Final = (10_000, 30_000)
"""SYNs a second."""
SECONDS: Final = 4.0
PORT: Final = 7_862
FORGED: Final = "198.18.0.0/15"
"""Of nobody, by RFC 2544."""
SENDERS: Final = 1 << 17
"""Addresses in it."""
BURST: Final = 64
"""SYNs that leave together."""
PAUSE_S: Final = 0.02
"""Between two newcomers."""


class Flooded(msgspec.Struct, frozen=True):
    """What happened in SECONDS."""

    sent: int
    """SYNs of the flood."""
    taken: int
    """Packets that came to the worker."""
    worker_us: float
    newcomers: int
    refused: int
    """Newcomers that had no answer within two seconds."""
    slowest_ms: float


def flood(rate: int, seconds: float) -> int:
    """Send so many SYNs a second, each from an address and port of its own; how many left. To be run where
    they are to leave."""
    raw_ipv4, raw_ipv6 = open_raw_sockets()
    if raw_ipv6 is not None:
        raw_ipv6.close()
    segment = Segment(1, 0, SYN, 1_000, 5, syn_options=SynOptions(1460, 7, True))
    options, sent = encode_options(segment), 0
    with raw_ipv4, contextlib.closing(RawSink(raw_ipv4.fileno())) as sink:
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < seconds:
            if sent > passed_s * rate:
                time.sleep(BURST / rate / 2)
                continue
            for number in range(sent, sent + BURST):
                sender = number % SENDERS
                address = f"198.{18 + (sender >> 16)}.{sender >> 8 & 255}.{sender & 255}"
                port = 1_024 + number // SENDERS
                sink.emit(pack_flow((address, port), (RIGHT_V4, PORT)), segment, options)
            sent += sink.flush()
    return sent


def newcomers(client: Namespace, seconds: float) -> tuple[int, int, float]:
    """Open one connection after another: how many were answered and how many not, and the longest ms."""
    served = refused = 0
    slowest_ms, end_s = 0.0, time.monotonic() + seconds
    while time.monotonic() < end_s:
        began_s = time.monotonic()
        if is_answered(client, RIGHT_V4, PORT):
            served += 1
            slowest_ms = max(slowest_ms, (time.monotonic() - began_s) * 1e3)
        else:
            refused += 1
        time.sleep(PAUSE_S)
    return served, refused, slowest_ms


def packets_in(server: Gossamer) -> int:
    """What has come to the worker."""
    return sum(int(worker["packets_in_total"]) for worker in server.settled_status()["workers"])


def measured(server: Gossamer, client: Namespace, rate: int) -> Flooded:
    """One flood; none at a rate of 0. Raises: NamespaceError."""
    pids = server.pids()
    packets, spent_ns = packets_in(server), processes_ns(pids)
    argv = [sys.executable, "-P", "-m", "gossamer.loadtest.bench_flood", "--send", str(rate), str(SECONDS)]
    sender = client.start(argv, stdout=-1) if rate else None
    try:
        served, refused, slowest_ms = newcomers(client, SECONDS)
    finally:
        said = sender.communicate(timeout=SECONDS + 10)[0] if sender is not None else b"0"
    worker_us = (processes_ns(pids) - spent_ns) / 1000
    return Flooded(int(said), packets_in(server) - packets, worker_us, served, refused, slowest_ms)


def us_a_syn(flooded: Flooded, calm: Flooded) -> float:
    """Of the worker's CPU time, what each SYN took."""
    each_us, packets = calm.worker_us / calm.newcomers, calm.taken / calm.newcomers
    syns = flooded.taken - packets * flooded.newcomers
    return (flooded.worker_us - each_us * flooded.newcomers) / syns if syns > 0 else float("nan")


def line(rate: int, flooded: Flooded, calm: Flooded) -> str:
    """A row of the table."""
    asked = flooded.newcomers + flooded.refused
    syns = f"{us_a_syn(flooded, calm):8.2f}" if rate else "       -"
    return (
        f"{rate:8} {flooded.sent:8} {flooded.taken:8} {syns}"
        f"   {flooded.newcomers} of {asked} answered, the slowest after {flooded.slowest_ms:.0f} ms"
    )


def compare(rates: tuple[int, ...], say: Callable[[str], None]) -> None:
    """Measure at each rate, after a time without a flood. Raises: NamespaceError, ServerError."""
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        (folder / "site").mkdir()
        (folder / "site" / "index.html").write_text("here\n")
        client, space = held.enter_context(pair())
        join_by_veth(client, space)
        space.ip(f"route add {FORGED} via {LEFT_V4}")
        server = start_gossamer(space, folder / "site", folder / "run", stack="nfqueue", port=PORT)
        held.enter_context(running(server))
        say(f"{SECONDS:.0f} s each, one worker: a newcomer every {PAUSE_S * 1e3:.0f} ms and its answer")
        say("   SYN/s     sent    taken   us/SYN   newcomers")
        calm = measured(server, client, 0)
        say(line(0, calm, calm))
        for rate in rates:
            say(line(rate, measured(server, client, rate), calm))


def main(argv: list[str]) -> str | None:
    """Print the table; why not, where it cannot."""
    if argv[:1] == ["--send"]:
        print(flood(int(argv[1]), float(argv[2])))
        return None
    obstacle = missing_requirement()
    if obstacle is not None:
        return obstacle
    try:
        compare(tuple(map(int, argv)) or RATES, print)
    except NamespaceError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
