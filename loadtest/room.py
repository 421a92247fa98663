"""Whether so many connections find room on this machine: descriptors of a process, local ports.

Owns both bounds, and what is said before anything is opened.

Source: getrlimit(2), RLIMIT_NOFILE; ip(7), ip_local_port_range.
"""

import math
import resource
from pathlib import Path
from typing import Final

from gossamer.shards.exitcode import CannotStartError

DESCRIPTORS_KEPT: Final = 64
"""For all but the connections."""
PORT_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
PORTS_DEFAULT: Final = 28_232


def allow_descriptors(connections: int) -> None:
    """Raise this process's limit of open files as far as needed. Raises: CannotStartError."""
    check_descriptors(connections, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + DESCRIPTORS_KEPT
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check_descriptors(connections: int, processes: int) -> None:
    """Whether each of so many processes may have its part open. Raises: CannotStartError."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard - DESCRIPTORS_KEPT
    if hard == resource.RLIM_INFINITY or -(-connections // processes) <= most:
        return
    raise CannotStartError(
        f"--connections: found {connections}; allowed: {most} in each process ({hard} open files), so take "
        f"--processes {-(-connections // most)}"
    )


def local_ports() -> int:
    """How many local ports the kernel gives out, of each address to each server."""
    try:
        first, last = map(int, PORT_RANGE.read_text().split())
    except (OSError, ValueError):
        return PORTS_DEFAULT
    return last - first + 1


def check_ports(connections: int, sources: int, addresses: int) -> str:
    """Whether so many connections find a local port; a warning, where the last of them find it slowly.

    Sources and servers are taken in turn, each of its own turn: pairs of them come again after the least
    common multiple. The kernel gives out every other port first; once these are taken, it looks at all of
    them for each further connection.

    Raises: CannotStartError.
    """
    ports = local_ports()
    pairs = math.lcm(max(1, sources), addresses)
    way_out = f"take --source with {-(-connections // (ports // 2))} addresses of this machine"
    if connections > ports * pairs:
        raise CannotStartError(
            f"--connections: found {connections}; allowed: {ports * pairs}, {ports} local ports of each "
            f"address to each server (net.ipv4.ip_local_port_range): {way_out}"
        )
    if connections > ports // 2 * pairs:
        return f"beyond {ports // 2} connections of an address, a local port is slow to find: {way_out}"
    return ""
