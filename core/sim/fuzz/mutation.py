"""One volley of shots made from others: a shot changed, added, taken out, repeated; two volleys joined.

Owns what is worth trying: the edges of every field. All chance comes from the generator it is given.
"""

from random import Random
from typing import Any, Final

from gossamer.core.records import replace
from gossamer.core.sim.fuzz.shot import Shot
from gossamer.core.sim.fuzz.victim import OPENED, PORTS
from gossamer.core.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG

SHOTS_MAX: Final = 40
CHANGES: Final = ("add", "add", "add", "join", "take out", "repeat", "shuffle", *["alter"] * 5)

FLAGS: Final = (
    *(ACK, ACK, ACK | PSH, SYN, SYN | ACK, ACK | FIN, RST, RST | ACK),
    *(0, SYN | FIN, ACK | URG, SYN | ECE | CWR),
)
DISTANCES: Final = (
    0,
    0,
    0,
    1,
    -1,
    2,
    88,
    -88,
    700,
    -700,
    1_460,
    -1_460,
    10_000,
    19_999,
    20_000,
    -20_000,
    1 << 31,
)
SIZES: Final = (0, 0, 1, 2, 88, 536, 1_448, 1_460, 9_000, 20_000, 60_000)
WAITS_US: Final = (0, 0, 0, 1_000, 40_000, 250_000, 1_000_000, 3_000_000, 61_000_000)
PEER_PORTS: Final = (40_000, 40_000, 40_000, 40_001, 40_002)
ICMPS: Final = (
    (3, 3, 0),
    (3, 1, 0),
    (3, 4, 0),
    (3, 4, 68),
    (3, 4, 576),
    (3, 4, 1_400),
    (11, 0, 0),
    (12, 0, 0),
    (2, 0, 1_280),
    (1, 4, 0),
)

SYN_OPTIONS: Final = (
    b"",
    bytes((2, 4, 5, 180)),
    bytes((2, 4, 0, 0)),
    bytes((2, 4, 0, 1)),
    bytes((2, 4, 255, 255, 1, 3, 3, 7, 4, 2, 1, 1)),
    bytes((1, 3, 3, 14)),
    bytes((1, 3, 3, 200)),
    bytes((4, 2, 0, 0)),
    bytes((34, 2, 1, 1)),
    bytes((34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1)),
    bytes((28, 4, 128, 1)),
    bytes((1, 0, 0, 0)),
    bytes((8, 10, 0)),
)


VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "wait_us": WAITS_US,
    "port": PORTS,
    "peer_port": PEER_PORTS,
    "flags": FLAGS,
    "seq": DISTANCES,
    "ack": DISTANCES,
    "window": (0, 1, 2, 100, 1_460, 20_000, 65_535),
    "ts": (None, 0, 0, 1, -1, 1_000, 1 << 31),
    "echo": (0, 0, -1, 1, -5_000, 1 << 31),
    "options": SYN_OPTIONS,
    "payload_bytes": SIZES,
    "ecn": (0, 1, 2, 3),
    "icmp": (None, *ICMPS),
    "cut_bytes": (0, 1, 8, 20, 30),
    "is_repaired": (True, False),
}
"""Fields of a shot and what is worth trying in each."""

FIELDS: Final = tuple(VALUES)


def mutated(random: Random, volley: tuple[Shot, ...], others: list[tuple[Shot, ...]]) -> tuple[Shot, ...]:
    """Another volley that differs in a few ways."""
    shots = list(volley)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        _change(random, shots, others)
    return tuple(shots[:SHOTS_MAX])


def _change(random: Random, shots: list[Shot], others: list[tuple[Shot, ...]]) -> None:
    kind = random.choice(CHANGES)
    at = random.randrange(len(shots) + 1)
    if kind == "add" or not shots:
        shots[at:at] = [fresh(random, shots)]
    elif kind == "join" and others:
        shots[at:] = random.choice(others)[-random.randrange(1, SHOTS_MAX) :]
    elif kind == "take out":
        del shots[at : at + random.choice((1, 1, 2))]
    elif kind == "repeat":
        shots[at:at] = shots[max(at - random.choice((1, 2, 5)), 0) : at]
    elif kind == "shuffle":
        random.shuffle(shots)
    else:
        at = random.randrange(len(shots))
        shots[at] = altered(random, shots[at])


def fresh(random: Random, shots: list[Shot]) -> Shot:
    """A shot at the flow of the latest one, or at another."""
    if shots and random.random() < 0.8:
        last = shots[-1]
        port, peer_port, is_ipv6, ts = last.port, last.peer_port, last.is_ipv6, last.ts
    else:
        port, peer_port = random.choice(PORTS), random.choice(PEER_PORTS)
        is_ipv6 = port != OPENED and random.random() < 0.2
        ts = random.choice((None, 0))
    flags = random.choice(FLAGS)
    return Shot(
        wait_us=random.choice(WAITS_US),
        port=port,
        peer_port=peer_port,
        is_ipv6=is_ipv6,
        flags=flags,
        ts=ts,
        options=random.choice(SYN_OPTIONS) if flags & SYN or random.random() < 0.1 else b"",
        payload_bytes=random.choice(SIZES) if not flags & SYN else 0,
        window=random.choice(VALUES["window"]),
    )


def altered(random: Random, shot: Shot) -> Shot:
    """The shot with one thing about it changed."""
    if random.random() < 0.6:
        name = random.choice(FIELDS)
        return replace(shot, **{name: random.choice(VALUES[name])})
    return random.choice(ALTERATIONS)(random, shot)


def _any_flags(random: Random, shot: Shot) -> Shot:
    return replace(shot, flags=random.randrange(256))


def _moved(random: Random, shot: Shot) -> Shot:
    return replace(shot, seq=shot.seq + random.randrange(-3_000, 3_000))


def _acked(random: Random, shot: Shot) -> Shot:
    return replace(shot, ack=shot.ack + random.randrange(-3_000, 3_000))


def _sacked(random: Random, shot: Shot) -> Shot:
    lefts = (random.choice((-12_000, -5_000, -1_460, -100, 0)) for _ in range(random.randrange(1, 5)))
    return replace(shot, sack=tuple((left, left + random.choice((-1, 0, 1, 88, 1_460))) for left in lefts))


def _with_any_options(random: Random, shot: Shot) -> Shot:
    return replace(shot, options=random.randbytes(random.randrange(41)))


def _with_urgent(random: Random, shot: Shot) -> Shot:
    return replace(shot, urgent=random.choice((0, 1, 65_535)), flags=shot.flags | URG)


def _damaged(random: Random, shot: Shot) -> Shot:
    count = random.choice((1, 1, 2, 8))
    places = tuple((random.randrange(80), random.randrange(256)) for _ in range(count))
    return replace(shot, damage=places, is_repaired=random.random() < 0.8)


ALTERATIONS: Final = (_any_flags, _moved, _acked, _sacked, _with_any_options, _with_urgent, _damaged)
