"""Asks the machine what the plan must know: the thin doer before `shards.plan`."""

import os
import shutil
import socket

from gossamer.ffi.privileges import CAP_NET_ADMIN, CAP_NET_RAW, effective_capabilities
from gossamer.shards import firewall
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.plan import MachineFacts
from gossamer.shards.procfs import read_queues

INSTALL_HINT = "apt-get install iptables"


def find_nfqueue_obstacle() -> str:
    """Why the functional TCP cannot run here, with the way out; "" when nothing stands against it."""
    if not {CAP_NET_ADMIN, CAP_NET_RAW} <= effective_capabilities():
        return "the functional TCP needs root (CAP_NET_ADMIN, CAP_NET_RAW); start it with sudo to have it"
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
    cpus = tuple(sorted(os.sched_getaffinity(0)))
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
