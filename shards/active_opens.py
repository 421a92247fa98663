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
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from gossamer.shards import firewall
from gossamer.shards.config import Config, NfqueueConfig
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.machine import read_facts
from gossamer.shards.opening import open_queue
from gossamer.shards.plan import choose_port_range, choose_queues
from gossamer.shards.procfs import own_identity
from gossamer.shards.rules import QueueTarget
from gossamer.shards.rundir import base_directory

LOCK_NAME: Final = "allocation.lock"
NFQUEUE_DEFAULTS: Final = NfqueueConfig()


class ActiveOpens(NamedTuple):
    """What a process owns while it opens connections."""

    ports: range
    queue_number: int
    queue: socket.socket
    """A bound netlink socket; closed at the end."""
    warnings: tuple[str, ...]


@contextlib.contextmanager
def allocation_lock() -> Iterator[None]:
    """While it is held, no other process of ours chooses queues and ports. Raises: CannotStartError."""
    try:
        base_directory().mkdir(mode=0o755, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(base_directory() / LOCK_NAME, flags, 0o600)
    except OSError as error:
        raise CannotStartError(f"{base_directory() / LOCK_NAME}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def active_opens(count: int, settings: NfqueueConfig = NFQUEUE_DEFAULTS) -> Iterator[ActiveOpens]:
    """`count` local ports of this process alone, with their queue and rules, until the block ends.

    Raises: CannotStartError without root or NFQUEUE, or when no ports or queue numbers are free.
    """
    owner = own_identity()
    with contextlib.ExitStack() as stack:
        with allocation_lock():
            facts = read_facts()
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
