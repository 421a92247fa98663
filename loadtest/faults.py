"""What a bad link does to packet number n: a pure decider.

`decide(faults, seed, number, length)` gives the deliveries of one packet: none when it is lost, two when it
is duplicated, each with its delay and the bit that is flipped. The same seed and number always decide the
same, whatever the timing of the run was. This file knows no device and no clock; `loadtest.link` performs
what is decided here.

Source: the fault models of tc-netem(8), with our own generator (splitmix64, Steele et al., OOPSLA 2014).
"""

from typing import Final

import msgspec

MASK_64: Final = (1 << 64) - 1
DRAW_BITS: Final = 16
DRAW_MASK: Final = (1 << DRAW_BITS) - 1
INTACT: Final = -1


class LinkFaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The probabilities (0..1, in steps of 1/65,536) and times of one direction of a link."""

    loss: float = 0.0
    reorder: float = 0.0
    """This part of the packets is held back by reorder_us, so that later ones overtake it."""
    duplicate: float = 0.0
    corrupt: float = 0.0
    """This part of the packets has one bit flipped, anywhere."""
    delay_us: int = 0
    reorder_us: int = 2_000

    def __post_init__(self) -> None:
        for name in ("loss", "reorder", "duplicate", "corrupt"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}: allowed is 0..1")
        for name in ("delay_us", "reorder_us"):
            if not 0 <= getattr(self, name) <= 10_000_000:
                raise ValueError(f"{name} is {getattr(self, name)}: allowed is 0..10000000")


class PacketDelivery(msgspec.Struct, frozen=True, gc=False):
    """One packet that comes out of the link."""

    delay_us: int
    flipped_bit: int = INTACT
    is_reordered: bool = False


def mix(value: int) -> int:
    """64 well mixed bits of a number (the finalizer of splitmix64)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK_64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK_64
    return value ^ (value >> 31)


def threshold(probability: float) -> int:
    """The draws below this number are `probability` of all draws."""
    return round(probability * (1 << DRAW_BITS))


def decide(faults: LinkFaults, seed: int, number: int, length: int) -> tuple[PacketDelivery, ...]:
    """The deliveries of packet `number`, which is `length` bytes long. Shapes: 0, 1 or 2 deliveries."""
    draws = mix(mix(seed) ^ number)
    if draws & DRAW_MASK < threshold(faults.loss):
        return ()
    is_reordered = (draws >> 16) & DRAW_MASK < threshold(faults.reorder)
    delay_us = faults.delay_us + (faults.reorder_us if is_reordered else 0)
    flipped_bit = INTACT
    if (draws >> 48) < threshold(faults.corrupt):
        flipped_bit = mix(draws) % (8 * length)
    first = PacketDelivery(delay_us, flipped_bit, is_reordered)
    if (draws >> 32) & DRAW_MASK < threshold(faults.duplicate):
        return (first, PacketDelivery(delay_us))
    return (first,)


def flip(packet: bytes, bit: int) -> bytes:
    """`packet` with one bit turned round; itself when bit is INTACT."""
    if bit == INTACT:
        return packet
    changed = bytearray(packet)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)
