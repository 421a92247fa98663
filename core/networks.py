"""How many connections each client has: an IPv4 address is one client, of IPv6 a /64 is.

    came(address), left(address)  ->  of(host): how many there are

Owns the counts, and whose an address is. It knows no connection: the tables that do say what comes and goes,
each address as the 16 bytes of a flow. Bounds: as many as there are connections.
"""

from typing import Final

from gossamer.core.wire.flow import MAPPED_PREFIX, pack_address

IPV6_NETWORK_BITS: Final = 64
"""What a client of IPv6 has at least, all of it."""


def network_of(address: bytes) -> bytes:
    """Whose the 16 bytes of an address in a flow are."""
    return address if address.startswith(MAPPED_PREFIX) else address[: IPV6_NETWORK_BITS // 8]


class NetworkCounts:
    """The connections of one worker by client."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}

    def came(self, address: bytes) -> None:
        """One more from there."""
        network = network_of(address)
        self._counts[network] = self._counts.get(network, 0) + 1

    def left(self, address: bytes) -> None:
        """One less."""
        network = network_of(address)
        count = self._counts[network] - 1
        if count:
            self._counts[network] = count
        else:
            del self._counts[network]

    def of(self, host: str) -> int:
        """How many the client has that this address is one of. Raises: ValueError for what is no address."""
        return self._counts.get(network_of(pack_address(host.partition("%")[0])), 0)

    def __len__(self) -> int:
        """How many clients there are."""
        return len(self._counts)
