"""The connections of the socket loop that are open, and how many of them each client has.

Owns the set, which the sides of a connection add to and discard from. Counting costs nothing until somebody
asks for it; a connection of no IP address is not counted.
"""

from gossamer.core.loop.sock.call import Connection
from gossamer.core.networks import NetworkCounts
from gossamer.core.wire.flow import pack_address
from gossamer.ffi.accept import read_address


class OpenConnections(set[Connection]):
    """A set that may count."""

    def __init__(self) -> None:
        super().__init__()
        self._networks: NetworkCounts | None = None
        self._addresses: dict[Connection, bytes] = {}
        """Of those that are counted: what a connection says of its peer may change (a proxy announces)."""

    def count_networks(self) -> NetworkCounts:
        """Count by client from now on; to be called before there are any."""
        assert not self
        self._networks = counts = NetworkCounts()
        return counts

    def add(self, connection: Connection, /) -> None:
        """One has been accepted, opened, or has come."""
        super().add(connection)
        if self._networks is not None:
            address = _peer_of(connection)
            if address:
                self._addresses[connection] = address
                self._networks.came(address)

    def discard(self, connection: object, /) -> None:
        """One is closed or elsewhere; twice is harmless."""
        super().discard(connection)
        if self._networks is not None and isinstance(connection, Connection):
            address = self._addresses.pop(connection, b"")
            if address:
                self._networks.left(address)


def _peer_of(connection: Connection) -> bytes:
    """The address of its peer, as in a flow; b"" where that is of another family."""
    name = connection.peer_name
    if type(name) is bytes:
        return read_address(name)
    return pack_address(name[0].partition("%")[0]) if type(name) is tuple else b""
