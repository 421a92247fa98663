"""Asks the machine what `plan` must know, and whether a server can run at all (`shards.machine.needs`): both
decide, this performs.
"""

import errno
import fcntl
import ipaddress
import os
import shutil
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Final, Literal

import msgspec

from gossamer.core.errors import what_failed
from gossamer.ffi import systemcalls
from gossamer.ffi.nfqueue_netlink import RECEIVE_BUFFER_BYTES, try_nfqueue
from gossamer.ffi.privileges import CAP_NET_ADMIN, CAP_NET_RAW, effective_capabilities
from gossamer.shards.exitcode import CannotStartError, ConfigError
from gossamer.shards.firewall import firewall
from gossamer.shards.machine.cgroup import read_cpu_quota
from gossamer.shards.machine.modules import load_module
from gossamer.shards.machine.needs import WAY_OUT, find_refused
from gossamer.shards.machine.procfs import NFNETLINK_QUEUE, held_to, read_queues
from gossamer.shards.plan.plan import MachineFacts
from gossamer.shards.units import format_size

INSTALL_HINT: Final = "install the package iptables"


QUEUE_MODULE: Final = "nfnetlink_queue"


NETWORK_RIGHTS: Final = frozenset({CAP_NET_ADMIN, CAP_NET_RAW})
FIREWALL_RIGHTS: Final = frozenset({CAP_NET_ADMIN})


NO_GAIN: Final = (
    "no_new_privs keeps sudo and capabilities of files from giving it any: have ambient ones "
    "(systemd: AmbientCapabilities), or start it without (containers: no-new-privileges, "
    "allowPrivilegeEscalation)"
)
"""The way out of who may not gain a right."""


def missing_rights(needed: frozenset[int] = NETWORK_RIGHTS) -> str:
    """Which rights over the network are not to be had, with the way out; "" when none of `needed` is missing.

    Root of a container or of a user namespace may lack them: they are asked for and tried, not guessed.
    """
    if needed <= effective_capabilities() and _queue_refusal() != errno.EPERM:
        return ""
    if os.geteuid() != 0:
        held = held_to(os.getpid())
        can_gain = held is None or not held.no_new_privileges
        return f"root (CAP_NET_ADMIN, CAP_NET_RAW); {'start it with sudo' if can_gain else NO_GAIN}"
    return (
        "CAP_NET_ADMIN and CAP_NET_RAW over this network, which root lacks here; "
        "start the container with --cap-add=NET_ADMIN --cap-add=NET_RAW"
    )


def _queue_refusal() -> int:
    """The errno with which the kernel refuses to have queues configured; 0 when it does not."""
    try:
        try_nfqueue()
    except OSError as error:
        return error.errno or errno.EIO
    return 0


SIOCGIFFLAGS: Final = 0x8913
IFF_UP: Final = 1
IFREQ: Final = struct.Struct("16sH22x")
"""struct ifreq: name and flags. Source: netdevice(7)."""


def require_machine() -> None:
    """See that the kernel has all that any server needs. Raises: CannotStartError."""
    if not Path("/proc/self/stat").exists():
        raise CannotStartError("a server reads /proc, which is not there; mount it: mount -t proc proc /proc")
    if refused := find_refused("any", systemcalls.exists, systemcalls.refusal):
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
    if refused := find_refused(stack, systemcalls.exists, systemcalls.refusal):
        raise CannotStartError(refused)


def find_loopback_obstacle(host: str) -> str:
    """Why no packet of this machine's own reaches a server on that address; "" when one does, when the
    address is one of the network's, and where it cannot be known.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if not (address.is_loopback or address.is_unspecified) or is_up("lo"):
        return ""
    return f"server.host: nothing on this machine reaches {host}: the interface lo is down: ip link set lo up"


def is_up(interface: str) -> bool:
    """Whether an interface is up; True where it cannot be known."""
    request = IFREQ.pack(interface.encode(), 0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
    except OSError:
        return True
    return bool(IFREQ.unpack(answer)[1] & IFF_UP)


def usable_cpus() -> tuple[int, ...]:
    """The processors that this process may use; all there are where the kernel does not say."""
    try:
        return tuple(sorted(os.sched_getaffinity(0)))
    except OSError:
        return tuple(range(os.cpu_count() or 1))


def find_nfqueue_obstacle() -> str:
    """Why the functional TCP cannot run here, with the way out; "" when nothing stands against it."""
    if missing := missing_rights():
        return f"the functional TCP needs {missing} to have it"
    if refused := find_refused("nfqueue", systemcalls.exists, systemcalls.refusal):
        return refused
    if not firewall.has_commands(4):
        missing = next(name for name in ("iptables-restore", "iptables-save") if not shutil.which(name))
        return f"the functional TCP needs {missing}; {INSTALL_HINT} to have it"
    if not _queue_refusal():
        return ""
    load_module(QUEUE_MODULE)
    if refusal := _queue_refusal():
        return (
            f"the kernel lacks the module {QUEUE_MODULE} ({os.strerror(refusal)}); "
            f"modprobe {QUEUE_MODULE} on the host to have it"
        )
    return ""


def read_python_cpu_count() -> str:
    """PYTHON_CPU_COUNT; "" where it is not set, or Python is to ignore its environment."""
    return "" if sys.flags.ignore_environment else os.environ.get("PYTHON_CPU_COUNT", "")


def read_facts(*, of_network: bool) -> MachineFacts:
    """The facts of this machine and, where they are wanted, of its network namespace."""
    facts = MachineFacts(
        cpus=usable_cpus(),
        cpu_quota=read_cpu_quota(),
        python_cpu_count=read_python_cpu_count(),
        nfqueue_obstacle=find_nfqueue_obstacle() if of_network else "",
    )
    if facts.nfqueue_obstacle or not of_network:
        return facts
    queues, can_list = _queues_taken()
    try:
        ports = firewall.port_ranges_taken()
    except (firewall.FirewallError, PermissionError) as error:
        obstacle = f"the functional TCP is not to be had: {error}"
        return msgspec.structs.replace(facts, nfqueue_obstacle=obstacle)
    return msgspec.structs.replace(
        facts, queues_taken=queues, can_list_queues=can_list, port_ranges_taken=ports
    )


def _queues_taken() -> tuple[frozenset[int], bool]:
    """Which queues somebody has, and whether that could be read."""
    try:
        return frozenset(queue.number for queue in read_queues()), True
    except PermissionError:
        return frozenset(), False


def warnings_of_rights(facts: MachineFacts, queue_buffer_bytes: int) -> list[str]:
    """What the functional TCP does without where it has the rights over its network and no others."""
    found = []
    if not facts.can_list_queues:
        found.append(
            "packets that the kernel drops before a worker sees them are not counted: "
            f"only root may read {NFNETLINK_QUEUE}"
        )
    if queue_buffer_bytes < RECEIVE_BUFFER_BYTES:
        room, wanted = format_size(queue_buffer_bytes), format_size(RECEIVE_BUFFER_BYTES)
        found.append(
            f"the socket of a queue has room for {room}, not {wanted}: more is refused here; raise "
            "net.core.rmem_max, and wmem_max for what leaves"
        )
    return found


def resolve_host(host: str) -> str:
    """The IP address that a host name means here. Raises: ConfigError."""
    if not host:
        allowed = 'an IP address or the name of one; "0.0.0.0" is every IPv4 address, "::" every address'
        raise ConfigError(f"server.host: found ''; allowed: {allowed}")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"server.host: found {host!r}; allowed: an IP address or the name of one ({what_failed(error)})"
        ) from error
    return str(found[0][4][0])
