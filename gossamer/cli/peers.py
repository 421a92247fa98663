"""The option --peer of those commands that show what one client does."""

import ipaddress

from gossamer.shards.exitcode import ConfigError


def checked_peer(peer: str) -> str:
    """The address as it is shown elsewhere; "" is every one. Raises: ConfigError."""
    try:
        return str(ipaddress.ip_address(peer)) if peer else ""
    except ValueError as error:
        raise ConfigError(f"--peer: found {peer!r}; allowed: an IP address") from error
