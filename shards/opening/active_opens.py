"""Local ports, and the queue of their packets, for a process that opens connections on the functional TCP.

    with active_opens(512) as opens:
        source = NetlinkSource(opens.queue.fileno())
        ... TcpConnector(loop, opens.ports, secret) ...

Owns the choice of what is free, under a lock that servers take too, and that all is given back. The ports
lie outside of the kernel's ip_local_port_range, so the kernel's own connections never meet them; one rule
sends what comes to them to the queue, and no hash is needed.
"""

import contextlib
import fcntl
import os
import secrets
import socket
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from gossamer.shards.configuration.config import Config, NfqueueConfig
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.rules import QueueTarget
from gossamer.shards.machine.procfs import own_identity
from gossamer.shards.opening.opening import open_queue
from gossamer.shards.plan.machine_facts import read_facts
from gossamer.shards.plan.plan import choose_port_range, choose_queues

NETWORK_NAMESPACE: Final = "/proc/thread-self/ns/net"
LOCK_WAIT_SECONDS: Final = 60.0
LOCK_POLL_SECONDS: Final = 0.02
NFQUEUE_DEFAULTS: Final = NfqueueConfig()


class ActiveOpens(NamedTuple):
    """What a process owns while it opens connections."""

    ports: range
    queue_number: int
    queue: socket.socket
    """A bound netlink socket; closed at the end."""
    warnings: tuple[str, ...]


@contextlib.contextmanager
def allocation_lock(wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
    """While it is held, no other process of ours chooses queues and ports of this network namespace.

    The namespace itself is locked: rules, queues and ports are its own, processes of several containers may
    share it, and nothing has to be writable for that. Raises: CannotStartError.
    """
    try:
        fd = os.open(NETWORK_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotStartError(f"{NETWORK_NAMESPACE}: {error.strerror}") from error
    try:
        _lock(fd, time.monotonic() + wait_seconds)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, deadline: float) -> None:
    """Have an exclusive lock of the file. Raises: CannotStartError when the time has come."""
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise CannotStartError(
                    f"another process keeps {NETWORK_NAMESPACE} locked (flock), as a server does while it "
                    "chooses queues and ports; lslocks shows which one it is"
                ) from None
        time.sleep(LOCK_POLL_SECONDS)


@contextlib.contextmanager
def active_opens(count: int, settings: NfqueueConfig = NFQUEUE_DEFAULTS) -> Iterator[ActiveOpens]:
    """`count` local ports of this process alone, with their queue and rules, until the block ends.

    Raises: CannotStartError without root or NFQUEUE, or when no ports or queue numbers are free.
    """
    owner = own_identity()
    with contextlib.ExitStack() as stack:
        with allocation_lock():
            facts = read_facts(of_network=True)
            if facts.nfqueue_obstacle:
                raise CannotStartError(facts.nfqueue_obstacle)
            firewall.remove_dead_rules()
            facts = msgspec.structs.replace(facts, port_ranges_taken=firewall.port_ranges_taken())
            first, last = settings.active_port_first, settings.active_port_last
            ports = choose_port_range(first, last, facts.port_ranges_taken, count)
            (number,) = choose_queues(Config(nfqueue=settings), facts, 1)
            queue = stack.enter_context(open_queue(number, settings.queue_length_max))
            target = QueueTarget(ports.first, ports.last, (number,))
            installed = firewall.install_rules(owner, target, secrets.randbits(32))
            stack.callback(firewall.remove_chains, frozenset(installed.chains).__contains__)
        yield ActiveOpens(range(ports.first, ports.last + 1), number, queue, installed.warnings)
