"""Which queue a flow's packets come to, as the kernel computes it; and who is to have which queue. Pure.

    packet -> HMARK: mark = queues + hash * queues / 2**32  -> a tree of rules -> the queue of that mark

Owns the hash of the target HMARK, for the tuple of both addresses and both ports, and the fewest moves that
share queues evenly.

Source: linux/net/netfilter/xt_HMARK.c (hmark_hash), linux/include/linux/jhash.h (jhash_3words),
reciprocal_scale of linux/include/linux/kernel.h.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gossamer.core.wire.flow import Flow, is_ipv4

JHASH_INITIAL: Final = 0xDEADBEEF + (3 << 2)
MASK: Final = 0xFFFFFFFF
FLOW_WORDS: Final = struct.Struct(">4I4IHH")


class Steering(msgspec.Struct, frozen=True):
    """How packets to a port are steered."""

    queues: tuple[int, ...]
    """By the order of their marks; a power of two."""
    secret: int
    port: int

    def queue_of(self, flow: Flow) -> int | None:
        """The queue of a flow; None of one that is not to the port."""
        if int.from_bytes(flow[34:36], "big") != self.port:
            return None
        return self.queues[scaled(flow_hash(flow, self.secret), len(self.queues))]


def scaled(value: int, ceiling: int) -> int:
    """A number of 32 bits as one below `ceiling`."""
    return value * ceiling >> 32


def flow_hash(flow: Flow, secret: int) -> int:
    """What HMARK makes of a packet of the flow, whichever way it goes."""
    words = FLOW_WORDS.unpack(flow)
    remote, local = words[:4], words[4:8]
    if is_ipv4(flow):
        source, destination = remote[3], local[3]
    else:
        source, destination = _folded(remote), _folded(local)
    low, high = sorted(words[8:])
    return jhash_3words(min(source, destination), max(source, destination), high << 16 | low, secret)


def _folded(words: Sequence[int]) -> int:
    """An IPv6 address as HMARK takes it."""
    first, second, third, fourth = words
    return first ^ second ^ third ^ fourth


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & MASK


def jhash_3words(first: int, second: int, third: int, initial: int) -> int:
    """Jenkins' hash of three words."""
    base = initial + JHASH_INITIAL
    a, b, c = first + base & MASK, second + base & MASK, third + base & MASK
    c = (c ^ b) - _turned(b, 14) & MASK
    a = (a ^ c) - _turned(c, 11) & MASK
    b = (b ^ a) - _turned(a, 25) & MASK
    c = (c ^ b) - _turned(b, 16) & MASK
    a = (a ^ c) - _turned(c, 4) & MASK
    b = (b ^ a) - _turned(a, 14) & MASK
    return (c ^ b) - _turned(b, 24) & MASK


def shared(queues: Sequence[int], owners: Mapping[int, int], workers: Sequence[int]) -> dict[int, int]:
    """Who is to have which queue: evenly, and as many as can be stay with `owners`.

    Those who have most now keep one more where the numbers do not divide.
    """
    has = {worker: [queue for queue in queues if owners.get(queue) == worker] for worker in workers}
    each, further = divmod(len(queues), len(workers))
    by_most = sorted(workers, key=lambda worker: (-len(has[worker]), worker))
    quota = {worker: each + (index < further) for index, worker in enumerate(by_most)}
    stays = {queue: worker for worker in workers for queue in has[worker][: quota[worker]]}
    free = [queue for queue in queues if queue not in stays]
    for worker in workers:
        missing = quota[worker] - min(len(has[worker]), quota[worker])
        stays |= dict.fromkeys(free[:missing], worker)
        del free[:missing]
    return {queue: stays[queue] for queue in queues}
