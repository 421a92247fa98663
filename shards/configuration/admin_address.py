"""The admin address as it is configured. Pure.

    ""                 none
    "unix"             the socket admin.sock in the run directory, for its owner and root
    "127.0.0.1:9100"   TCP; "[::1]:9100" for IPv6; port 0 lets the kernel choose one

Owns these forms, and whose requests are answered there.
"""

import ipaddress
from typing import Final

import msgspec

UNIX: Final = "unix"
PORT_MAX: Final = 65535
ALLOWED: Final = 'allowed: "", "unix", or an IP address with a port such as "127.0.0.1:9100" or "[::1]:9100"'


class AdminAddress(msgspec.Struct, frozen=True):
    """An address of IP and its port."""

    host: str
    port: int


def parse_admin_address(text: str) -> AdminAddress | None:
    """The address of TCP that a text means; None for "" and "unix". Raises: ValueError."""
    if text in ("", UNIX):
        return None
    host, separator, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_port = separator and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= PORT_MAX
    try:
        address = ipaddress.ip_address(host[1:-1] if is_bracketed else host)
    except ValueError:
        is_port = False
    if not is_port or (address.version == 6) != is_bracketed:
        raise ValueError(f"found {text[:80]!r}; {ALLOWED}")
    return AdminAddress(str(address), int(port))


def is_name_of_others(authority: str) -> bool:
    """Whether a Host is neither an address nor localhost.

    A page of elsewhere whose name comes to mean 127.0.0.1 makes a browser of this machine ask here; its
    requests have the page's name as their Host (DNS rebinding).
    """
    if not authority or authority.startswith("["):
        return False
    host = authority.partition(":")[0].lower()
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
