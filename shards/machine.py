"""Asks the machine what the plan must know: the thin doer before `shards.plan`."""

import errno
import os
import shutil
import socket
import sys
from typing import Final

import msgspec
from gossamer.ffi.nfqueue_netlink import try_nfqueue
from gossamer.ffi.privileges import CAP_NET_ADMIN, CAP_NET_RAW, effective_capabilities
from gossamer.shards import firewall
from gossamer.shards.cgroup import read_cpu_quota
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.modules import load_module
from gossamer.shards.plan import MachineFacts
from gossamer.shards.procfs import read_queues

INSTALL_HINT: Final = "install the package iptables"


QUEUE_MODULE: Final = "nfnetlink_queue"


NETWORK_RIGHTS: Final = frozenset({CAP_NET_ADMIN, CAP_NET_RAW})
FIREWALL_RIGHTS: Final = frozenset({CAP_NET_ADMIN})


def missing_rights(needed: frozenset[int] = NETWORK_RIGHTS) -> str:
    """Which rights over the network are not to be had, with the way out; "" when none of `needed` is missing.

    Root of a container or of a user namespace may lack them: they are asked for and tried, not guessed.
    """
    if needed <= effective_capabilities() and _queue_refusal() != errno.EPERM:
        return ""
    if os.geteuid() != 0:
        return "root (CAP_NET_ADMIN, CAP_NET_RAW); start it with sudo"
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


def find_nfqueue_obstacle() -> str:
    """Why the functional TCP cannot run here, with the way out; "" when nothing stands against it."""
    if missing := missing_rights():
        return f"the functional TCP needs {missing} to have it"
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
    """PYTHON_CPU_COUNT; "" where Python is told to ignore its environment, or it is not set."""
    return "" if sys.flags.ignore_environment else os.environ.get("PYTHON_CPU_COUNT", "")


def read_facts() -> MachineFacts:
    """The facts of this machine and network namespace."""
    facts = MachineFacts(
        cpus=tuple(sorted(os.sched_getaffinity(0))),
        cpu_quota=read_cpu_quota(),
        python_cpu_count=read_python_cpu_count(),
        nfqueue_obstacle=find_nfqueue_obstacle(),
    )
    if facts.nfqueue_obstacle:
        return facts
    try:
        queues = frozenset(queue.number for queue in read_queues())
        ports = firewall.port_ranges_taken()
    except (firewall.FirewallError, PermissionError) as error:
        obstacle = f"the functional TCP is not to be had: {error}"
        return msgspec.structs.replace(facts, nfqueue_obstacle=obstacle)
    return msgspec.structs.replace(facts, queues_taken=queues, port_ranges_taken=ports)


def resolve_host(host: str) -> str:
    """The IP address that a host name means here. Raises: ConfigError."""
    try:
        found = socket.getaddrinfo(host or "::", None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"server.host: found {host!r}; allowed: an IP address or the name of one ({error})"
        ) from error
    return str(found[0][4][0])
