"""Where the load goes: a URL, taken apart and checked.

Owns what a URL of `gossamer load` may be; opens nothing.

Source: RFC 3986 3; RFC 9110 4.2.1.
"""

import ipaddress
import socket
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from gossamer.core.errors import what_failed
from gossamer.core.wire.flow import Address
from gossamer.shards.exitcode import ConfigError

PORT_DEFAULT: Final = 80
WAY_OUT: Final = "write it as http://HOST[:PORT]/PATH"


class Target(msgspec.Struct, frozen=True):
    """One URL: the authority and path that requests name, and the address they go to."""

    authority: str
    path: str
    address: Address


def parse_url(url: str) -> Target:
    """Check a URL and look its host up. Raises: ConfigError, in one line."""
    try:
        parts = urlsplit(url)
        port = PORT_DEFAULT if parts.port is None else parts.port
    except ValueError as error:
        raise ConfigError(f"URL {url!r}: {error}; {WAY_OUT}") from error
    if parts.scheme != "http":
        found = f"scheme {parts.scheme!r}" if parts.scheme else "no scheme"
        raise ConfigError(f"URL {url!r}: {found} found, only http is allowed; {WAY_OUT}")
    if not parts.hostname or parts.username is not None:
        raise ConfigError(f"URL {url!r}: a host without user name is needed; {WAY_OUT}")
    if not port:
        raise ConfigError(f"URL {url!r}: found port 0; allowed: 1 to 65535; {WAY_OUT}")
    return Target(parts.netloc, request_path(parts, url), (look_up(parts.hostname, url), port))


def request_path(parts: SplitResult, url: str) -> str:
    """The path and query as a request line carries them. Raises: ConfigError for what no request line may."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise ConfigError(f"URL {url!r}: the path must be printable ASCII without blanks (percent-encode it)")
    return path


def look_up(host: str, url: str) -> str:
    """The first IP address of a host. Raises: ConfigError."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"URL {url!r}: host {host!r} is not known: {what_failed(error)}") from error
    # IPv4 first: `localhost` is ::1 on many machines whose servers listen on 127.0.0.1 alone.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])
