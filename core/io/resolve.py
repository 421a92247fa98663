"""From a name to a connection: DNS in the pool, and the first address that answers.

Owns the order in which addresses are tried.

Source: getaddrinfo(3); RFC 8305 ("Happy Eyeballs"), 4 and 5, without its caching of outcomes.
"""

import socket
from itertools import zip_longest
from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.errors import misuse
from gossamer.core.io.sock import SockConnector
from gossamer.core.io.stream import Connector, Stream
from gossamer.core.loop.checks import check_number, check_timeout
from gossamer.core.threads.calls import sys_blio
from gossamer.core.threads.cancel import CancelScope, move_on_after
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.sync.event import Event
from gossamer.core.wire.flow import PORT_MAX, Address

ADDRESSES_MAX: Final = 16
"""Addresses of one name that are tried."""

ATTEMPT_DELAY_SECONDS: Final = 0.25
"""How long an attempt has a head start. Source: RFC 8305 5, Connection Attempt Delay."""


KERNEL: Final = SockConnector()


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a name, IPv6 and IPv4 in turn (RFC 8305 4).

    Raises: OSError (socket.gaierror); MisuseError for anything but a name and port.

    >>> from gossamer import resolve, run
    >>> run(resolve("127.0.0.1", 80))
    [('127.0.0.1', 80)]
    """
    if not isinstance(host, str):
        raise misuse("host", host, "a name, or an IP address, as text")
    check_number("port", port, 0, PORT_MAX)
    found = await sys_blio(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
    by_family: dict[int, list[Address]] = {}
    for family, _, _, _, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            by_family.setdefault(family, []).append((str(address[0]), int(address[1])))
    mixed = [address for turn in zip_longest(*by_family.values()) for address in turn if address]
    return list(dict.fromkeys(mixed))[:ADDRESSES_MAX]


async def open_connection(
    host: str, port: int, timeout_us: int = 60 * SECOND_US, *, connector: Connector = KERNEL
) -> Stream:
    """A connection to the first of a name's addresses that answers; each next one is tried when the one
    before has failed, or has not answered within ATTEMPT_DELAY_SECONDS. Without a connector it is one of
    kernel sockets.

    >>> import socket
    >>> from gossamer import open_connection, run
    >>> async def main(host, port):
    ...     async with await open_connection(host, port) as stream:
    ...         return stream.peer == (host, port)
    >>> with socket.create_server(("127.0.0.1", 0)) as server:
    ...     run(main(*server.getsockname()))
    True

    Raises: OSError, that of the last attempt that failed; MisuseError for a wrong argument.
    """
    check_timeout(timeout_us)
    if not hasattr(connector, "connect"):
        raise misuse("connector", connector, "a SockConnector or a TcpConnector")
    race = _Race(connector, timeout_us)
    addresses = await resolve(host, port)
    async with open_nursery() as nursery:
        for address in addresses:
            nursery.start_soon(race.attempt, address, nursery.cancel_scope, name=f"connect {address[0]}")
            race.has_failed = Event()
            with move_on_after(ATTEMPT_DELAY_SECONDS):
                await race.has_failed.wait()
    if race.winner is None:
        raise race.error or OSError(f"{host} has no address")
    return race.winner


class _Race:
    """Attempts to connect, of which the first that succeeds ends the others."""

    def __init__(self, connector: Connector, timeout_us: int) -> None:
        self._connector = connector
        self._timeout_us = timeout_us
        self.winner: Stream | None = None
        self.error: OSError | None = None
        self.has_failed = Event()

    async def attempt(self, address: Address, others: CancelScope) -> None:
        """Connect to one address, and say how that went."""
        try:
            stream = await self._connector.connect(address, self._timeout_us)
        except OSError as error:
            self.error = error
            self.has_failed.set()
            return
        if self.winner is not None:
            await stream.abort()
            return
        self.winner = stream
        others.cancel()
