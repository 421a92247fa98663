"""Which congestion control the kernels run on the links of a comparison: chosen by route, and read back.

A namespace may set its sysctl only to what the host allows (cubic is often not among it); a route's `congctl`
takes any that the kernel has. Owns the routes' words. Source: ip-route(8); tcp(7), TCP_CONGESTION.
"""

import socket
from collections.abc import Sequence
from typing import Final

from gossamer.loadtest.namespaces import Namespace, NamespaceError

TCP_CONGESTION: Final = 13
NAME_BYTES: Final = 16
PROBE_PORT: Final = 7899
PROBE_S: Final = 5.0

ON_LOOPBACK: Final = (
    ("replace", "local", "127.0.0.1", "dev", "lo", "table", "local", "scope", "host", "src", "127.0.0.1"),
    ("add", "local", "::1", "dev", "lo", "table", "local", "metric", "1"),
)
KERNELS_OWN: Final = ("del", "local", "::1", "dev", "lo", "table", "local", "metric", "0")
"""It stands before any other, and takes no change."""


def choose_on_link(space: Namespace, device: str, networks: Sequence[str], name: str) -> None:
    """What the kernel's TCP runs towards these networks. Raises: NamespaceError."""
    for network in networks:
        family = "-6" if ":" in network else "-4"
        metric = ["metric", "256"] if ":" in network else []
        space.run(["ip", family, "route", "replace", network, "dev", device, *metric, "congctl", name])


def choose_on_loopback(space: Namespace, name: str) -> None:
    """What it runs to itself. Raises: NamespaceError."""
    for route in ON_LOOPBACK:
        space.run(["ip", "-6" if "::1" in route else "-4", "route", *route, "congctl", name])
    space.run(["ip", "-6", "route", *KERNELS_OWN])


def running(clients: Namespace, servers: Namespace, host: str) -> str:
    """What the kernel of the servers runs on a connection from there to that host. Raises: NamespaceError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with servers.entered():
            listener = socket.create_server((host, PROBE_PORT), family=family)
        with listener:
            listener.settimeout(PROBE_S)
            with clients.entered():
                client = socket.create_connection((host, PROBE_PORT), PROBE_S)
            with client, listener.accept()[0] as accepted:
                name = accepted.getsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, NAME_BYTES)
    except OSError as error:
        raise NamespaceError(f"no connection to {host}: {error.strerror or error}") from error
    return name.rstrip(b"\0").decode("ascii")
