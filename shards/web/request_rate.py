"""How many requests an address may have answered: a token bucket for each.

Owns the buckets. A bucket is one number, the time from which on it is full (the generic cell rate algorithm),
so that what a second more or less has refilled is never computed for those who ask nothing. IPv6 clients have
a /64 each, and so one bucket for all of it. Decides; whoever asks answers the client.

Source: ITU-T I.371, annex A, for the algorithm; RFC 6585 4 for the status.
"""

from collections import OrderedDict
from ipaddress import IPv6Address
from typing import Final

from gossamer.core.clock import SECOND_US

ADDRESSES_MAX: Final = 65_536
"""Buckets that are kept: the one that was asked least recently goes for one more."""
IPV6_NETWORK_BITS: Final = 64


def taken(full_at_us: int, now_us: int, interval_us: int, burst: int) -> tuple[int, int]:
    """Take a token of a bucket that holds `burst` of them and gets one each `interval_us`: from when on it is
    full then, and 0; or, where none is left, the same as before and how long until there is one.

    >>> taken(0, 1_000, 100, 2), taken(1_100, 1_000, 100, 2), taken(1_200, 1_000, 100, 2)
    ((1100, 0), (1200, 0), (1200, 100))
    """
    after_us = max(full_at_us, now_us) + interval_us
    wait_us = after_us - now_us - burst * interval_us
    return (full_at_us, wait_us) if wait_us > 0 else (after_us, 0)


def bucket_of(host: str) -> str | int:
    """Whose bucket an address has."""
    if ":" not in host:
        return host
    return int(IPv6Address(host.partition("%")[0])) >> IPV6_NETWORK_BITS


class RequestRates:
    """The buckets of one worker. Bounds: ADDRESSES_MAX."""

    def __init__(self, rate: int, burst: int) -> None:
        """`rate` requests a second, after `burst` at once."""
        self.refused_total: int = 0
        self._interval_us = SECOND_US // rate
        self._burst = burst
        self._full_at_us: OrderedDict[str | int, int] = OrderedDict()

    def wait_us(self, host: str, now_us: int) -> int:
        """0 where a request from there is within its rate, which is counted then; else how long until one
        is."""
        bucket = bucket_of(host)
        before_us = self._full_at_us.pop(bucket, 0)
        after_us, wait_us = taken(before_us, now_us, self._interval_us, self._burst)
        self._full_at_us[bucket] = after_us
        if len(self._full_at_us) > ADDRESSES_MAX:
            self._full_at_us.popitem(last=False)
        self.refused_total += wait_us > 0
        return wait_us
