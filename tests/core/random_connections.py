"""What the TCP does in random connections, as one digest: equal for every build of it.

Run as a program it prints the build and the digest of COUNT connections: `random_connections.py COUNT SEED`.
"""

import sys
from hashlib import blake2b
from random import Random
from typing import Any

from gossamer.core import native
from gossamer.core.clock import SECOND_US
from gossamer.core.errors import BoundExceeded
from gossamer.core.seq import MASK, Seq
from gossamer.core.sim.end import User
from gossamer.core.sim.flow import EndSetting
from gossamer.core.sim.link import Faults, Line
from gossamer.core.sim.pair import Pair
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.parameters import TcpParameters

OCTETS = bytes(range(256)) * 200


def parameters_of(random: Random) -> TcpParameters:
    """Of one end."""
    return TcpParameters(
        congestion=random.choice(("cubic", "newreno", "bbr")),
        ecn=random.choice(("off", "passive", "on")),
        pacing=random.choice(("auto", "on", "off")),
        **{
            name: random.random() < 0.8
            for name in ("timestamps", "sack", "window_scaling", "rack", "nodelay")
        },
        receive_buffer_bytes=random.choice((4_096, 30_000, 1 << 20)),
        send_buffer_bytes=random.choice((9_000, 1 << 20)),
        super_segment_bytes=random.choice((0, 0, 65_160)),
        mtu_probing=random.choice(("off", "blackhole", "on")),
        keepalive_idle_us=random.choice((SECOND_US, 1 << 62)),
    )


def end_of(random: Random) -> EndSetting:
    """One end, its user, and the wire away from it."""
    user = User(
        sends=OCTETS[: random.choice((0, 1, 3_000, len(OCTETS)))],
        write_bytes=random.choice((100, 4_000, 65_536)),
        reads_every_us=random.choice((0, 0, 20_000)),
        closes=random.random() < 0.7,
    )
    faults = Faults(
        loss=random.choice((0.0, 0.0, 0.01, 0.1)),
        duplicate=random.choice((0.0, 0.02)),
        reorder=random.choice((0.0, 0.05)),
        delay_us=random.choice((100, 5_000, 60_000)),
        jitter_us=random.choice((0, 2_000)),
    )
    line = random.choice((Line(), Line(10_000_000, 40_000), Line(20_000_000, 60_000, (), 9_000)))
    return EndSetting(user, parameters_of(random), iss=Seq(random.randrange(MASK)), faults=faults, line=line)


def digest_of(count: int, seed: int) -> str:
    """Of every step: the event, the connection after it, and the actions, as they are shown and encoded."""
    digest = blake2b(digest_size=16)

    def watch(_before: Any, event: Any, after: Any, actions: Any) -> None:
        octets = encode(after) if after is not None else b""
        assert after is None or decode(octets) == after
        digest.update(f"{event!r}{after!r}{actions!r}".encode() + octets)

    for number in range(count):
        random = Random(seed * 1_000_003 + number)
        pair = Pair(end_of(random), end_of(random), number, watch)
        try:
            pair.run(pair.now_us + random.choice((SECOND_US // 5, 3 * SECOND_US)))
        except BoundExceeded as error:
            digest.update(str(error).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    print(native.running().split()[0], digest_of(int(sys.argv[1]), int(sys.argv[2])))
