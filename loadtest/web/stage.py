"""Where the comparison plays: a namespace for clients, one for servers, and what lies between them.

    veth    a veth pair with an MTU of 1500; TSO and GRO are switched at both ends
    near    the same, and netfilter's statistic match drops packets at the client, behind the device
    relay   two TUN devices and the process of `loadtest.link`, which delays and loses: netem's place

Owns the addresses and that every rule, link and namespace goes. Both kernels run the congestion control that
was asked for; what a new namespace runs by itself is the host's choice.
"""

import contextlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.linked import linked
from gossamer.loadtest.namespaces import (
    RIGHT_V4,
    RIGHT_V6,
    Namespace,
    join_by_veth,
    pair,
    remove_stale,
)
from gossamer.loadtest.web.congestion import choose_on_link, choose_on_loopback, running
from gossamer.loadtest.web.links import WebLink
from gossamer.loadtest.web.rows import AskedRow

RELAY_LEFT: Final = ("10.78.0.1/24", "fd78::1/64")
RELAY_RIGHT: Final = ("10.78.0.2/24", "fd78::2/64")
RELAY_SERVER: Final = {4: "10.78.0.2", 6: "fd78::2"}
RELAY_NETWORKS: Final = ("10.78.0.0/24", "fd78::/64")
VETH_SERVER: Final = {4: RIGHT_V4, 6: RIGHT_V6}
VETH_NETWORKS: Final = ("10.77.0.0/24", "fd77::/64")
LOOPBACK_SERVER: Final = {4: "127.0.0.1", 6: "::1"}
TABLES: Final = {4: "iptables", 6: "ip6tables"}
RELAY_SECONDS: Final = 120.0
"""The relay ends by itself after this time."""


class Way(NamedTuple):
    """From a client to the servers."""

    client: Namespace
    host: str
    congestion: str
    """What the servers' kernel runs on it."""


class LinkStage:
    """The two namespaces, joined."""

    def __init__(self, clients: Namespace, servers: Namespace, congestion: str) -> None:
        self.clients = clients
        self.servers = servers
        self._congestion = congestion
        self._has_offloads = True
        self._seed = 0

    @contextlib.contextmanager
    def set_up(self, row: AskedRow, link: WebLink) -> Iterator[Way]:
        """The link as a row wants it.

        Raises: NamespaceError.
        """
        if link.is_loopback:
            yield self.way(self.servers, LOOPBACK_SERVER[link.family])
        elif row.round_trip_us:
            self._seed += 1
            faults = LinkFaults(loss=row.loss_percent / 100, delay_us=row.round_trip_us // 2)
            with linked(
                self.clients, self.servers, faults, self._seed, RELAY_SECONDS, RELAY_LEFT, RELAY_RIGHT
            ):
                for space in (self.clients, self.servers):
                    choose_on_link(space, "link0", RELAY_NETWORKS, self._congestion)
                yield self.way(self.clients, RELAY_SERVER[link.family])
        else:
            self.switch_offloads(link.has_offloads)
            with self.losing(row.loss_percent, link.family):
                yield self.way(self.clients, VETH_SERVER[link.family])

    def way(self, client: Namespace, host: str) -> Way:
        """From there to the server's address."""
        return Way(client, host, running(client, self.servers, host))

    def switch_offloads(self, on: bool) -> None:
        """TSO and GRO at both ends, if they are not so already."""
        if on == self._has_offloads:
            return
        self._has_offloads = on
        for space in (self.clients, self.servers):
            space.run(["ethtool", "-K", "eth0", "tso", "on" if on else "off", "gro", "off"])

    @contextlib.contextmanager
    def losing(self, percent: float, family: int) -> Iterator[None]:
        """The client's side drops that part of what comes in."""
        rule = ["PREROUTING", "-i", "eth0", "-m", "statistic", "--mode", "random", "--probability"]
        rule += [f"{percent / 100:.6f}", "-j", "DROP"]
        command = [TABLES[family], "-w", "-t", "raw"]
        if not percent:
            yield
            return
        self.clients.run([*command, "-A", *rule])
        try:
            yield
        finally:
            self.clients.run([*command, "-D", *rule])


@contextlib.contextmanager
def staged(congestion: str) -> Iterator[LinkStage]:
    """Both namespaces, until the block ends. Raises: NamespaceError."""
    remove_stale()
    with pair() as (clients, servers):
        join_by_veth(clients, servers)
        for space in (clients, servers):
            choose_on_link(space, "eth0", VETH_NETWORKS, congestion)
            choose_on_loopback(space, congestion)
        yield LinkStage(clients, servers, congestion)
