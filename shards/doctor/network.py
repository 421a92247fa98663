"""Rows about packets: netfilter's netlink, a queue that binds, raw sockets, IPv6, the firewall's rules.

What a server does at its start is done here once and taken back: a queue is bound, rules for a port that is
held meanwhile are installed and removed.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from gossamer.core.errors import what_failed
from gossamer.ffi.nfqueue_netlink import open_queue, try_nfqueue
from gossamer.shards.doctor.findings import Finding, For
from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.rules import QueueTarget
from gossamer.shards.machine.procfs import own_identity
from gossamer.shards.plan.machine_facts import INSTALL_HINT, QUEUE_MODULE, is_up, missing_rights

QUEUES_TRIED: Final = range(65_500, 65_536)
VERSION_SECONDS: Final = 5
OTHERS: Final = {"firewalld": "firewalld", "DOCKER": "Docker", "ufw-": "ufw", "KUBE-": "Kubernetes"}
"""Whose rules these words in them mean."""
IN_THE_KERNEL: Final = "a kernel that has them"
NOT_TRIED: Final = "not tried"
AT_FIRST: Final = "what is amiss above first"
THE_RIGHTS: Final = "the rights above"


def rows() -> Iterator[Finding]:
    """All of them."""
    loopback = "" if is_up("lo") else "ip link set lo up"
    yield Finding("lo", "down" if loopback else "up", For.ANY, loopback)
    yield _ipv6()
    has_rights = not missing_rights()
    yield _attempt("netfilter's netlink", try_nfqueue, f"modprobe {QUEUE_MODULE} on the host")
    yield _attempt("a queue", _bind_some_queue, "see who has them: cat /proc/net/netfilter/nfnetlink_queue")
    yield _attempt("raw socket, IPv4", partial(_open_raw, socket.AF_INET), IN_THE_KERNEL)
    yield _attempt("raw socket, IPv6", partial(_open_raw, socket.AF_INET6), IN_THE_KERNEL, For.SOME)
    yield _iptables()
    can_try = has_rights and firewall.has_commands(4)
    yield _rules() if can_try else Finding("rules", NOT_TRIED, For.NFQUEUE, AT_FIRST)
    yield _lock()
    if can_try:
        yield Finding("rules of others", _others(), For.SOME)


def _attempt(
    name: str, act: Callable[[], str | None], way_out: str, needed_for: For = For.NFQUEUE
) -> Finding:
    try:
        found = act()
    except PermissionError as error:
        return Finding(name, what_failed(error), needed_for, THE_RIGHTS)
    except OSError as error:
        return Finding(name, what_failed(error), needed_for, way_out)
    return Finding(name, found or "to be had", needed_for)


def _bind_some_queue() -> str:
    """Raises: OSError of the last that was tried."""
    last: OSError | None = None
    for number in QUEUES_TRIED:
        try:
            with closing(open_queue(number)):
                return f"binds (tried with number {number})"
        except PermissionError:
            raise
        except OSError as error:
            last = error
    assert last is not None
    raise last


def _open_raw(family: socket.AddressFamily) -> None:
    """Raises: OSError."""
    socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW).close()


def _ipv6() -> Finding:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as bound:
            bound.bind(("::1", 0))
    except OSError as error:
        way = "sysctl -w net.ipv6.conf.all.disable_ipv6=0; else serve on IPv4 addresses"
        return Finding("IPv6", what_failed(error), For.SOME, way)
    return Finding("IPv6", "there", For.SOME)


def _iptables() -> Finding:
    missing = [name for name in ("iptables-save", "iptables-restore") if shutil.which(name) is None]
    if missing:
        return Finding("iptables", f"{', '.join(missing)} not found", For.NFQUEUE, INSTALL_HINT)
    done = subprocess.run(
        ["iptables-restore", "--version"],
        capture_output=True,
        text=True,
        timeout=VERSION_SECONDS,
        check=False,
    )
    return Finding("iptables", done.stdout.strip() or done.stderr.strip(), For.NFQUEUE)


def _rules() -> Finding:
    """Install the very rules of a server, for a port that is held so long, and remove them."""
    owner = own_identity()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        target = QueueTarget(port, port, (QUEUES_TRIED[0], QUEUES_TRIED[1]), "127.0.0.1")
        try:
            installed = firewall.install_rules(owner, target, secret=1)
        except firewall.FirewallError as error:
            return Finding("rules", str(error), For.NFQUEUE, "docs/firewall.md")
        finally:
            firewall.remove_rules_of(owner)
    warnings = "; ".join(installed.warnings)
    return Finding("rules", warnings or "a server's were installed, and removed", For.NFQUEUE)


def _lock() -> Finding:
    path = Path(os.environ.get("XTABLES_LOCKFILE", "/run/xtables.lock"))
    place = path if path.exists() else path.parent
    is_writable = os.access(place, os.W_OK)
    way = "" if is_writable else f"a {path.parent} that can be written, or XTABLES_LOCKFILE"
    return Finding("lock of iptables", str(path), For.SOME, way)


def _others() -> str:
    try:
        saved = firewall.saved_rules(4)
    except firewall.FirewallError as error:
        return str(error)
    found = [whose for word, whose in OTHERS.items() if word in saved]
    count = sum(line.startswith("-A") for line in saved.splitlines())
    if not count:
        return "none"
    return f"{count}{', of ' + ', '.join(found) if found else ''}: they hold for a server as well"
