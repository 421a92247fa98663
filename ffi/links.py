"""What the links of this host's own addresses carry, kept true while they change.

Owns a table by address, and what hears that it does not hold any more. How the kernel is asked is
`ffi.rtnetlink`'s.
"""

from typing import Final

from gossamer.ffi.hops import MAPPED_PREFIX
from gossamer.ffi.rtnetlink import ADDRESS_GROUPS, RoutingChanges, local_mtus

CHANGES_MAX: Final = 64
"""Datagrams of news taken in one turn."""


class LocalLinks:
    """The MTU of the link that has an address. Raises: OSError."""

    def __init__(self) -> None:
        self._changes = RoutingChanges(ADDRESS_GROUPS)
        self.fd = self._changes.fd
        """Readable when links or addresses have changed: call `take_changes` then."""
        self._look()

    def _look(self) -> None:
        self._mtus = {
            address if len(address) == 16 else MAPPED_PREFIX + address: mtu
            for address, mtu in local_mtus().items()
        }

    def mtu(self, address: bytes) -> int:
        """Of the link that has an address of ours, 16 octets, IPv4 mapped; 0 when none has."""
        return self._mtus.get(address, 0)

    def take_changes(self, _events: int) -> None:
        """Look again."""
        if self._changes.take(CHANGES_MAX) is None:
            self._look()

    def close(self) -> None:
        """Give back what hears of changes. Closing twice is harmless."""
        self._changes.close()
