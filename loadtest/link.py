"""A bad link between two network namespaces: two TUN devices and a process that carries packets between them.

    python -m gossamer.loadtest.link --left NS --right NS --loss 0.02 --reorder 0.02 --seed 7 --seconds 60

It stands where the kernel's netem would, and gives the same faults for the same seed. It prints one line of
JSON when the link is up and one, with its counts, when it ends. What happens to a packet is decided by
`loadtest.faults`; this file owns the devices and the time, and knows nothing of what the packets say.
"""

import fcntl
import heapq
import os
import select
import signal
import struct
import subprocess
from collections.abc import Callable
from typing import Final

import click
import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US, Clock, monotonic_us
from gossamer.loadtest.faults import INTACT, LinkFaults, decide, flip

TUNSETIFF: Final = 0x400454CA
IFF_TUN_NO_PI: Final = 0x0001 | 0x1000
MTU: Final = 1_500
READS_PER_TURN_MAX: Final = 64
QUEUE_PACKETS_MAX: Final = 4_096
"""Packets under way in one direction; what comes on top is dropped and counted."""
DEVICE_QUEUE_PACKETS: Final = 10_000


class Counts(msgspec.Struct):
    """What one direction has done."""

    received_total: int = 0
    delivered_total: int = 0
    lost_total: int = 0
    reordered_total: int = 0
    duplicated_total: int = 0
    corrupted_total: int = 0
    queue_full_total: int = 0
    refused_total: int = 0


class Direction:
    """Carries packets from one descriptor to another through the faults."""

    def __init__(self, source: int, sink: int, faults: LinkFaults, seed: int) -> None:
        self.source = source
        self.sink = sink
        self.faults = faults
        self.seed = seed
        self.counts = Counts()
        self.under_way: list[tuple[int, int, bytes]] = []
        self.order = 0

    def take(self, now_us: int) -> None:
        """Read a bounded burst and deliver or queue it."""
        for _ in range(READS_PER_TURN_MAX):
            try:
                packet = os.read(self.source, MTU + 64)
            except BlockingIOError:
                return
            self.route(packet, now_us)

    def route(self, packet: bytes, now_us: int) -> None:
        """Do with one packet what the decider says."""
        counts = self.counts
        deliveries = decide(self.faults, self.seed, counts.received_total, len(packet))
        counts.received_total += 1
        counts.lost_total += not deliveries
        counts.duplicated_total += len(deliveries) > 1
        for delivery in deliveries:
            counts.reordered_total += delivery.is_reordered
            counts.corrupted_total += delivery.flipped_bit != INTACT
            self.push(flip(packet, delivery.flipped_bit), now_us, delivery.delay_us)

    def push(self, packet: bytes, now_us: int, delay_us: int) -> None:
        """Deliver at once or after its delay."""
        if delay_us == 0:
            self.deliver(packet)
        elif len(self.under_way) >= QUEUE_PACKETS_MAX:
            self.counts.queue_full_total += 1
        else:
            self.order += 1
            heapq.heappush(self.under_way, (now_us + delay_us, self.order, packet))

    def release(self, now_us: int) -> None:
        """Deliver all whose time has come."""
        while self.under_way and self.under_way[0][0] <= now_us:
            self.deliver(heapq.heappop(self.under_way)[2])

    def deliver(self, packet: bytes) -> None:
        """Hand one packet to the other side; a full or closed device refuses, which is counted."""
        try:
            os.write(self.sink, packet)
        except OSError:
            # A corrupted version nibble gives EINVAL, a device that is down EIO: either way the packet is
            # gone.
            self.counts.refused_total += 1
        else:
            self.counts.delivered_total += 1

    def deadline_us(self) -> int:
        """When the next packet is due."""
        return self.under_way[0][0] if self.under_way else NEVER_US


def carry(directions: list[Direction], end_us: int, is_stopped: Callable[[], bool], clock: Clock) -> None:
    """Carry packets until the time is over or someone says stop."""
    by_source = {direction.source: direction for direction in directions}
    now_us = clock()
    while now_us < end_us and not is_stopped():
        due_us = min(end_us, now_us + SECOND_US // 5, *(d.deadline_us() for d in directions))
        readable, _, _ = select.select(list(by_source), [], [], max(0, due_us - now_us) / SECOND_US)
        now_us = clock()
        for source in readable:
            by_source[source].take(now_us)
        for direction in directions:
            direction.release(now_us)


def open_tun(name: str) -> int:
    """A new TUN device. Raises: OSError when the kernel or our privileges refuse."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    except OSError:
        os.close(fd)
        raise
    return fd


def place(name: str, namespace: str, device: str, addresses: tuple[str, ...]) -> None:
    """Move a device into a namespace, name it, give it its addresses and switch it on."""
    outside = (
        f"link set {name} txqueuelen {DEVICE_QUEUE_PACKETS} mtu {MTU}",
        f"link set {name} netns {namespace} name {device}",
    )
    inside = (
        *(f"addr add {address} dev {device}{' nodad' * (':' in address)}" for address in addresses),
        f"link set {device} up",
    )
    for options, lines in ((), outside), (("-n", namespace), inside):
        command = ["ip", *options, "-batch", "-"]
        subprocess.run(command, check=True, capture_output=True, text=True, input="\n".join(lines))


def open_end(namespace: str, device: str, addresses: tuple[str, ...], side: str) -> int:
    """One end of the link, placed in its namespace."""
    name = f"gl{os.getpid()}{side}"
    fd = open_tun(name)
    place(name, namespace, device, addresses)
    return fd


class StopFlag:
    """Set by a signal, read by the loop."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self, *_: object) -> None:
        """Ask the loop to end."""
        self.is_set = True


@click.command()
@click.option("--left", required=True, help="Namespace of the left end.")
@click.option("--right", required=True, help="Namespace of the right end.")
@click.option("--device", default="link0", show_default=True, help="Name of the device in both namespaces.")
@click.option("--left-address", multiple=True, help="Address with prefix length; may be repeated.")
@click.option("--right-address", multiple=True, help="Address with prefix length; may be repeated.")
@click.option("--loss", default=0.0, help="Part of the packets that is lost (0..1), each way.")
@click.option("--reorder", default=0.0, help="Part that is held back by --reorder-us.")
@click.option("--duplicate", default=0.0, help="Part that is delivered twice.")
@click.option("--corrupt", default=0.0, help="Part that has one bit flipped.")
@click.option("--delay-us", default=0, help="Delay of every packet.")
@click.option("--reorder-us", default=2_000, show_default=True, help="How long a reordered packet is held.")
@click.option("--seed", default=1, show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="The link ends by itself after this time.")
def main(
    left: str,
    right: str,
    device: str,
    left_address: tuple[str, ...],
    right_address: tuple[str, ...],
    seed: int,
    seconds: float,
    **faults: float,
) -> None:
    """Join two namespaces by a link that loses, reorders, duplicates, corrupts and delays."""
    try:
        both_ways = msgspec.convert(faults, LinkFaults)
        a = open_end(left, device, left_address, "l")
        b = open_end(right, device, right_address, "r")
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"no TUN device: {error.strerror} (root and /dev/net/tun are needed)"
        ) from error
    except subprocess.CalledProcessError as error:
        raise click.ClickException(f"{' '.join(error.cmd)}: {error.stderr.strip()}") from error
    stop = StopFlag()
    signal.signal(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, stop.set)
    click.echo(msgspec.json.encode({"up": [left, right], "seed": seed}))
    forth, back = Direction(a, b, both_ways, seed), Direction(b, a, both_ways, seed + 1)
    carry([forth, back], monotonic_us() + int(seconds * SECOND_US), lambda: stop.is_set, monotonic_us)
    click.echo(msgspec.json.encode({"forth": forth.counts, "back": back.counts}))


if __name__ == "__main__":
    main()
