"""What is allowed in the arguments of a call on a stream, a socket or a pipe.

Owns the bounds and the messages. A call looks at the common case itself, since it is made for every message;
it comes here to find out why an argument is refused.
"""

from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import check_whole, misuse
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.wire.flow import PORT_MAX, Address, pack_address

RECV_BYTES_MAX: Final = 1 << 26
"""The most that may be asked of one recv."""

RECV_ROOM_BYTES: Final = 1 << 20
"""The most that one recv brings: so much room is made before anything is received."""

FILE_BYTES_MAX: Final = (1 << 63) - 1
"""The last place in a file that the kernel counts."""


def check_number(name: str, value: object, least: int, most: int) -> None:
    """Raises: MisuseError for anything but a whole number within these bounds."""
    check_whole(name, value, least, most, f"a whole number from {least} to {most}")


def check_timeout(timeout_us: object) -> None:
    """Raises: MisuseError for anything but a time."""
    check_whole("timeout_us", timeout_us, 0, NEVER_US, "a whole number of microseconds, 0 or more")


def whole_bytes(name: str, data: object) -> bytes:
    """What is sent, as bytes: a copy of what might change. Raises: MisuseError for anything but bytes."""
    if not isinstance(data, bytes | bytearray | memoryview):
        hint = ": encode the text first" if isinstance(data, str) else ""
        raise misuse(name, data, f"bytes, bytearray or memoryview{hint}")
    try:
        return bytes(data)
    except ValueError:
        raise misuse(name, data, "a memoryview that was not released") from None


def check_options(options: object) -> None:
    """Raises: MisuseError for anything but SocketOptions."""
    if not isinstance(options, SocketOptions):
        raise misuse("options", options, "a SocketOptions")


def check_address(name: str, address: object) -> None:
    """Raises: MisuseError for anything but an IP address and a port: to resolve a name would block."""
    allowed = "an IP address and a port, as in ('127.0.0.1', 80)"
    # With four, an address of IPv6 as the kernel gives it.
    if not (isinstance(address, tuple) and len(address) in (2, 4) and isinstance(address[0], str)):
        raise misuse(name, address, allowed)
    port = address[1]
    if type(port) is not int or not 0 <= port <= PORT_MAX:
        check_number(f"the port of {name}", port, 0, PORT_MAX)
    if not is_ip_address(address[0]):
        raise misuse(name, address, f"{allowed}; open_connection(host, port) takes a name")


def is_ip_address(host: str) -> bool:
    """Whether this is an address and no name. The C library says so of nearly all in a tenth of the time."""
    try:
        inet_pton(AF_INET6 if ":" in host else AF_INET, host)
    except (OSError, ValueError):
        try:
            pack_address(host)  # one with a zone
        except ValueError:
            return False
    return True


def check_opening(remote: Address, timeout_us: int, options: SocketOptions = NO_OPTIONS) -> None:
    """Raises: MisuseError for arguments of `Connector.connect` that are not allowed."""
    check_address("address", remote)
    check_timeout(timeout_us)
    check_options(options)
