"""Who a request comes from, when proxies stand between: their fields, believed as far as they are trusted.

Owns how the addresses of Forwarded and X-Forwarded-For are read, from the last one on: each proxy appends
whom it heard, so what stands before the first address that is not trusted is only what that one says. Pure.

Source: RFC 7239 4, 6; X-Forwarded-For as proxies write it.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]

HOPS_MAX: Final = 32
"""Addresses that are looked at, from the last one on."""

PAIR: Final = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*)')
"""RFC 7239 4: a forwarded-pair; a node with a colon is quoted."""
ELEMENT: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
"""An element of a list, whose commas within quotes end nothing."""

NODE: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)")
"""An address, perhaps with a port; "unknown" and names that hide an address are none."""


def client_address(peer: str, hops: Sequence[str], trusted: Networks) -> str:
    """The address that the nearest trusted proxies say, else the peer's own."""
    client = peer
    for hop in reversed(hops[-HOPS_MAX:]):
        if not is_among(client, trusted):
            break
        address = address_of(hop)
        if address is None:
            break
        client = address
    return client


def networks_of(texts: Sequence[str]) -> Networks:
    """Addresses and networks, as "10.0.0.0/8". Raises: ValueError."""
    return tuple([ip_network(text) for text in texts])


def hops_of(field: str, value: str) -> list[str]:
    """The nodes of a field, "x-forwarded-for" or "forwarded", in order; "" where one names none."""
    if field == "x-forwarded-for":
        return [member.strip() for member in value.split(",")]
    return [forwarded_for(element) for element in ELEMENT.findall(value)]


def forwarded_for(element: str) -> str:
    """What an element of Forwarded says in "for"."""
    found = [value for name, value in PAIR.findall(element) if name.lower() == "for"]
    return found[0].strip('"') if len(found) == 1 else ""


def forwarded_scheme(field: str, value_of: Callable[[str], str | None]) -> str:
    """By which scheme the client asked the nearest proxy, "http" or "https"; "" where that one does not say.

    `field` is the one in which proxies say whom they heard: beside X-Forwarded-For they say this in
    X-Forwarded-Proto, of which the last member is the nearest proxy's own.
    """
    if field == "forwarded":
        elements = ELEMENT.findall(value_of(field) or "")
        pairs = PAIR.findall(elements[-1]) if elements else []
        said = [value.strip('"') for name, value in pairs if name.lower() == "proto"]
    else:
        said = (value_of("x-forwarded-proto") or "").split(",")[-1:]
    scheme = said[0].strip().lower() if len(said) == 1 else ""
    return scheme if scheme in ("http", "https") else ""


def address_of(node: str) -> str | None:
    """The address of a node, without its port; None where it has none."""
    match = NODE.fullmatch(node)
    if match is None:
        return None
    try:
        address = ip_address(match[1] or match[2] or match[3])
    except ValueError:
        return None
    return str(unmapped(address))


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, else itself."""
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=1024)
def is_among(text: str, networks: Networks) -> bool:
    """Whether an address is in one of the networks."""
    try:
        address = unmapped(ip_address(text))
    except ValueError:
        return False
    return any(address.version == each.version and address in each for each in networks)
