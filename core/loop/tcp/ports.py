"""Local ports for active opens, chosen so that no peer can predict the next.

Source: RFC 6056 3.3.3, algorithm 3 (simple hash-based port selection).
"""

from collections.abc import Iterator
from hashlib import blake2s

from gossamer.core.wire.flow import Address


class LocalPorts:
    """A range of ports, walked from an offset that is a keyed function of both addresses and the remote
    port."""

    def __init__(self, ports: range, secret: bytes) -> None:
        self._ports = ports
        self._secret = secret
        self._next = 0

    def candidates(self, host: str, remote: Address) -> Iterator[int]:
        """Every port of the range once, beginning with the next in line towards `remote`."""
        name = f"{host} {remote[0]} {remote[1]}".encode()
        offset = int.from_bytes(blake2s(name, key=self._secret, digest_size=4).digest(), "big")
        count = len(self._ports)
        for _ in range(count):
            self._next += 1
            yield self._ports[(offset + self._next) % count]
