"""Where the load goes: a URL, taken apart and checked.

Owns what a URL of `gossamer load` may be; opens nothing.

Source: RFC 3986 3; RFC 6874; RFC 9110 4.2.1.
"""

import ipaddress
import re
import socket
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from gossamer.core.errors import what_failed
from gossamer.core.wire.flow import Address
from gossamer.shards.exitcode import ConfigError

PORTS: Final = {"http": 80, "https": 443}
WAY_OUT: Final = "write it as http[s]://HOST[:PORT]/PATH"
ADDRESSES_MAX: Final = 64
"""Of one name; what is beyond is not asked."""

ZONE: Final = re.compile(r"%25([^\]]+)(?=\])")
"""RFC 6874 2: "IPv6addrz = IPv6address "%25" ZoneID"."""


class Target(msgspec.Struct, frozen=True):
    """One URL: the authority and path that requests name, and the addresses they go to in turn."""

    authority: str
    path: str
    addresses: tuple[Address, ...]
    scheme: str = "http"

    @property
    def url(self) -> str:
        """As it is written."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(url: str, addresses: tuple[Address, ...] = ()) -> Target:
    """Check a URL and look its host up, unless addresses are given. Raises: ConfigError, in one line."""
    zone = ZONE.search(url)
    try:
        parts = urlsplit(ZONE.sub("", url, count=1))
        scheme = parts.scheme
        port = PORTS.get(scheme, 0) if parts.port is None else parts.port
    except ValueError as error:
        raise ConfigError(f"URL {url!r}: {error}; {WAY_OUT}") from error
    if scheme not in PORTS:
        found = f"scheme {scheme!r}" if scheme else "no scheme"
        raise ConfigError(f"URL {url!r}: {found} found, only http and https are allowed; {WAY_OUT}")
    if not parts.hostname or parts.username is not None:
        raise ConfigError(f"URL {url!r}: a host without user name is needed; {WAY_OUT}")
    if not port:
        raise ConfigError(f"URL {url!r}: found port 0; allowed: 1 to 65535; {WAY_OUT}")
    # RFC 6874 4: a client "MUST remove any ZoneID attached to an outgoing URI".
    authority, path = parts.netloc, request_path(parts, url)
    if addresses:
        return Target(authority, path, addresses, scheme)
    if zone is not None:
        return Target(authority, path, (in_zone(parts.hostname, unquote(zone[1]), port, url),), scheme)
    return Target(authority, path, look_up(parts.hostname, port, f"URL {url!r}"), scheme)


def request_path(parts: SplitResult, url: str) -> str:
    """The path and query as a request line carries them. Raises: ConfigError for what no request line may."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise ConfigError(f"URL {url!r}: the path must be printable ASCII without blanks (percent-encode it)")
    return path


def in_zone(host: str, zone: str, port: int, url: str) -> Address:
    """A link-local address on one interface, as the kernel takes it. Raises: ConfigError."""
    try:
        is_link_local = ipaddress.IPv6Address(host).is_link_local
        index = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    except (ValueError, OSError) as error:
        raise ConfigError(f"URL {url!r}: zone {zone!r} is no interface of this machine") from error
    if not is_link_local:
        raise ConfigError(f"URL {url!r}: a zone is for a link-local address (fe80::/10)")
    # The kernel's address of IPv6 has two fields more than ours, which an Address may carry along.
    return (host, port, 0, index)  # type: ignore[return-value]


def parse_connect_to(text: str) -> tuple[Address, ...]:
    """The addresses of HOST:PORT, to which connections go whatever the URL says. Raises: ConfigError."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or "@" in text or set("/?#") & set(text):
        raise ConfigError(f"--connect-to: found {text!r}; allowed: HOST:PORT, as in 127.0.0.1:8080")
    return look_up(host, port, f"--connect-to {text!r}")


def parse_sources(text: str) -> tuple[str, ...]:
    """Local addresses, by commas; each must be this machine's. Raises: ConfigError."""
    sources = tuple(part.strip() for part in text.split(","))
    for source in sources:
        try:
            family = socket.AF_INET6 if ipaddress.ip_address(source).version == 6 else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as tried:
                tried.bind((source, 0))
        except ValueError:
            raise ConfigError(f"--source: found {source!r}; allowed: IP addresses, by commas") from None
        except OSError as error:
            raise ConfigError(f"--source: {source} is not this machine's: {what_failed(error)}") from None
    return sources


def look_up(host: str, port: int, what: str) -> tuple[Address, ...]:
    """The IP addresses of a host. Raises: ConfigError."""
    try:
        return ((str(ipaddress.ip_address(host)), port),)
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{what}: host {host!r} is not known: {what_failed(error)}") from error
    # IPv4 first: `localhost` is ::1 on many machines whose servers listen on 127.0.0.1 alone.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    hosts = dict.fromkeys(str(entry[4][0]) for entry in found)
    return tuple((each, port) for each in list(hosts)[:ADDRESSES_MAX])
