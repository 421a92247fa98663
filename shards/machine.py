"""Asks the machine what the plan must know, and whether a server can run at all: the thin doer before
`shards.plan` and of `shards.needs`.
"""

import fcntl
import ipaddress
import os
import shutil
import socket
import struct
import threading
from pathlib import Path
from typing import Final, Literal

from gossamer.ffi.privileges import CAP_NET_ADMIN, CAP_NET_RAW, effective_capabilities
from gossamer.ffi.systemcalls import exists, refusal
from gossamer.shards import firewall
from gossamer.shards.exitcode import CannotStartError, ConfigError
from gossamer.shards.needs import WAY_OUT, find_refused
from gossamer.shards.plan import MachineFacts
from gossamer.shards.procfs import read_queues

INSTALL_HINT = "apt-get install iptables"

SIOCGIFFLAGS: Final = 0x8913
IFF_UP: Final = 1
IFREQ: Final = struct.Struct("16sH22x")
"""struct ifreq: name and flags. Source: netdevice(7)."""


def require_machine() -> None:
    """See that the kernel has all that any server needs. Raises: CannotStartError."""
    if not Path("/proc/self/stat").exists():
        raise CannotStartError("a server reads /proc, which is not there; mount it: mount -t proc proc /proc")
    if refused := find_refused("any", exists, refusal):
        raise CannotStartError(refused)
    thread = threading.Thread(target=threading.get_ident)
    try:
        thread.start()
    except RuntimeError as error:
        raise CannotStartError(
            f"a server needs threads (clone3, or clone): {error}; raise ulimit -u, or {WAY_OUT}"
        ) from error
    thread.join()


def require_calls_of(stack: Literal["kernel", "nfqueue"]) -> None:
    """See that the kernel has the calls that this stack alone needs. Raises: CannotStartError."""
    if refused := find_refused(stack, exists, refusal):
        raise CannotStartError(refused)


def find_loopback_obstacle(host: str) -> str:
    """Why no packet of this machine's own reaches a server on that address; "" when one does, when the
    address is one of the network's, and where it cannot be told.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if not (address.is_loopback or address.is_unspecified) or is_up("lo"):
        return ""
    return f"server.host: nothing on this machine reaches {host}: the interface lo is down: ip link set lo up"


def is_up(interface: str) -> bool:
    """Whether an interface is up; True where it cannot be told."""
    request = IFREQ.pack(interface.encode(), 0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
    except OSError:
        return True
    return bool(IFREQ.unpack(answer)[1] & IFF_UP)


def usable_cpus() -> tuple[int, ...]:
    """The processors that this process may use; all there are where the kernel does not tell."""
    try:
        return tuple(sorted(os.sched_getaffinity(0)))
    except OSError:
        return tuple(range(os.cpu_count() or 1))


def find_nfqueue_obstacle() -> str:
    """Why the functional TCP cannot run here, with the way out; "" when nothing stands against it."""
    if not {CAP_NET_ADMIN, CAP_NET_RAW} <= effective_capabilities():
        return "the functional TCP needs root (CAP_NET_ADMIN, CAP_NET_RAW); start it with sudo to have it"
    if refused := find_refused("nfqueue", exists, refusal):
        return refused
    if not firewall.has_commands(4):
        missing = next(name for name in ("iptables-restore", "iptables-save") if not shutil.which(name))
        return f"the functional TCP needs {missing}; {INSTALL_HINT} to have it"
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    except OSError as error:
        return f"the kernel has no netfilter netlink ({error.strerror}); modprobe nfnetlink_queue to have it"
    netlink.close()
    return ""


def read_facts() -> MachineFacts:
    """The facts of this machine and network namespace."""
    cpus = usable_cpus()
    obstacle = find_nfqueue_obstacle()
    if obstacle:
        return MachineFacts(cpus, obstacle)
    try:
        queues = frozenset(queue.number for queue in read_queues())
        return MachineFacts(cpus, "", queues, firewall.port_ranges_taken())
    except (firewall.FirewallError, PermissionError) as error:
        return MachineFacts(cpus, f"the functional TCP is not to be had: {error}")


def resolve_host(host: str) -> str:
    """The IP address that a host name means here. Raises: ConfigError."""
    try:
        found = socket.getaddrinfo(host or "::", None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"server.host: found {host!r}; allowed: an IP address or the name of one ({error})"
        ) from error
    return str(found[0][4][0])
