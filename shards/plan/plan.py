"""How a server is split into shards: (configuration, machine) -> plan. Pure.

Owns the choice of the stack with its reason, and who gets which queue number, mark, CPU and local ports.
Opens nothing and asks the machine nothing: what it needs to know comes in as `MachineFacts`.
"""

import math
import re
from fractions import Fraction
from typing import Final, Literal

import msgspec

from gossamer.shards.configuration.config import WORKERS_MAX, Config
from gossamer.shards.exitcode import CannotStartError, ConfigError, StackUnavailableError

QUEUES_FOR_EACH: Final = 4
"""So many queues there are for each of the most workers that there may be."""
INT_MAX: Final = 2**31 - 1
"""Of C, which Python keeps its number of CPUs in."""


class MachineFacts(msgspec.Struct, frozen=True):
    """What the plan depends on beside the configuration."""

    cpus: tuple[int, ...]
    """Those that this process may use."""
    cpu_quota: Fraction | None = None
    """How many CPUs' time it gets; None where no control group bounds it."""
    python_cpu_count: str = ""
    """PYTHON_CPU_COUNT as it stands in the environment; "" when it is not set."""
    nfqueue_obstacle: str = ""
    """Why the functional TCP cannot run here, with the way out; "" when it can."""
    queues_taken: frozenset[int] = frozenset()
    """Those that are known to be: of which the list can be read, or that were tried."""
    can_list_queues: bool = True
    port_ranges_taken: tuple[tuple[int, int], ...] = ()
    """Local ports that other processes of ours open connections from."""


class PortRange(msgspec.Struct, frozen=True):
    """Local ports, both ends included."""

    first: int
    last: int

    def as_range(self) -> range:
        """All of them."""
        return range(self.first, self.last + 1)


class ShardPlan(msgspec.Struct, frozen=True):
    """What one worker gets."""

    id: int
    cpu: int | None = None
    active_ports: PortRange | None = None
    active_queue: int | None = None
    """Where packets to its own local ports come to, which stays with the shard; None where that is its one
    queue."""


class RunPlan(msgspec.Struct, frozen=True):
    """The whole server."""

    stack: Literal["kernel", "nfqueue"]
    reason: str
    """Why this stack."""
    shards: tuple[ShardPlan, ...]
    """Those that it begins with."""
    queues: tuple[int, ...] = ()
    """Where packets to the served port come to, by the order of their marks; who has which changes."""
    handshake_queues: tuple[int, ...] = ()
    """Where SYNs to it come to: each is of the queue in its place, and its worker's. None where a queue does
    not move."""

    def with_handshakes(self, queue: int) -> tuple[int, ...]:
        """What the worker of a queue reads: that, and where the SYNs of its flows come to, if elsewhere."""
        own = dict(zip(self.queues, self.handshake_queues, strict=False)).get(queue)
        return (queue,) if own is None else (queue, own)

    def shard(self, number: int) -> ShardPlan:
        """What the worker of that number gets; one that was added later has no more than its queues."""
        return self.shards[number] if number < len(self.shards) else ShardPlan(number)


def choose_stack(config: Config, facts: MachineFacts) -> tuple[Literal["kernel", "nfqueue"], str]:
    """The stack, and why. Raises: CannotStartError when the one that was asked for cannot be had;
    ConfigError."""
    wanted = config.server.stack
    if wanted == "nfqueue" and config.server.is_given:
        raise ConfigError(
            "--stack nfqueue: found beside server.uds or server.fd; allowed: kernel, whose socket that is"
        )
    if config.server.is_given:
        return "kernel", "its listening socket is no port of ours"
    if wanted == "kernel":
        return "kernel", "as configured"
    if not facts.nfqueue_obstacle:
        return "nfqueue", "as configured" if wanted == "nfqueue" else "this machine allows NFQUEUE"
    if wanted == "nfqueue":
        raise CannotStartError(f"--stack nfqueue: {facts.nfqueue_obstacle}")
    return "kernel", facts.nfqueue_obstacle


def choose_queues(config: Config, facts: MachineFacts, count: int) -> tuple[int, ...]:
    """The first free queue numbers. Raises: StackUnavailableError."""
    first, last = config.nfqueue.queue_first, config.nfqueue.queue_last
    queues: list[int] = []
    for queue in range(first, last + 1):
        if len(queues) == count:
            break
        if queue not in facts.queues_taken:
            queues.append(queue)
    if len(queues) < count:
        raise StackUnavailableError(
            f"nfqueue.queue_first to queue_last: found {len(queues)} free from {first} to {last}; "
            f"allowed: {count} of them; name a wider range, or a lower nfqueue.queues"
        )
    return tuple(queues)


def choose_port_range(first: int, last: int, taken: tuple[tuple[int, int], ...], count: int) -> PortRange:
    """The first `count` neighbouring ports that nobody has. Raises: StackUnavailableError."""
    start = first
    for low, high in sorted(taken):
        if low - start >= count:
            break
        start = max(start, high + 1)
    if start + count - 1 > last:
        raise StackUnavailableError(
            f"nfqueue.active_port_first to active_port_last: no {count} neighbouring ports are free "
            f"from {first} to {last}; name a wider range, or fewer ports"
        )
    return PortRange(start, start + count - 1)


def _shard_ports(config: Config, facts: MachineFacts, workers: int) -> list[PortRange | None]:
    each = config.nfqueue.active_ports_per_worker
    if not each:
        return [None] * workers
    settings = config.nfqueue
    whole = choose_port_range(
        settings.active_port_first, settings.active_port_last, facts.port_ranges_taken, each * workers
    )
    starts = range(whole.first, whole.last + 1, each)
    return [PortRange(start, start + each - 1) for start in starts]


def named_cpu_count(text: str) -> int | None:
    """What PYTHON_CPU_COUNT asks for, read as Python reads it; None for nothing. Raises: ConfigError."""
    if text in ("", "default"):
        return None
    # Python 3.13 and later end at once on what is refused here.
    if not re.fullmatch(r"[ \t\n\v\f\r]*\+?[0-9]{1,10}", text) or not 1 <= int(text) <= INT_MAX:
        raise ConfigError(f"PYTHON_CPU_COUNT: found {text!r}; allowed: a number of at least 1, or 'default'")
    return int(text)


def usable_cpus(facts: MachineFacts) -> int:
    """How many CPUs there is time for: half a one counts as one, one and a half as two."""
    there_are = len(facts.cpus)
    return there_are if facts.cpu_quota is None else min(there_are, math.ceil(facts.cpu_quota))


def worker_count(config: Config, facts: MachineFacts) -> int:
    """How many workers. Raises: ConfigError."""
    if config.server.workers != "auto":
        return config.server.workers
    return min(named_cpu_count(facts.python_cpu_count) or usable_cpus(facts), WORKERS_MAX)


def _worker_cpus(config: Config, facts: MachineFacts, workers: int) -> list[int | None]:
    """The CPU that each worker stays on, if any."""
    # Only who has one for each CPU need not choose. With fewer workers, or a quota below the CPUs, others use
    # them too, and all of that kind would crowd the first ones.
    is_shared = facts.cpu_quota is not None and facts.cpu_quota < len(facts.cpus)
    pinned = config.server.pin_cpus and workers == len(facts.cpus) > 1 and not is_shared
    return [facts.cpus[i] if pinned else None for i in range(workers)]


def queue_count(config: Config, facts: MachineFacts, workers: int) -> int:
    """How many queues the served port has. Raises: ConfigError."""
    if config.nfqueue.backend != "netlink":
        return workers  # such a queue is its worker's, and never moves
    wanted = config.nfqueue.queues
    if not wanted:
        most = min(max(workers, len(facts.cpus)), WORKERS_MAX)
        return 1 << (QUEUES_FOR_EACH * most - 1).bit_length()
    if wanted < workers or wanted & (wanted - 1):
        raise ConfigError(
            f"nfqueue.queues: found {wanted}; allowed: a power of two of at least {workers}, so many as "
            "there are workers, or 0 for a number that is chosen"
        )
    return wanted


def plan_shards(config: Config, facts: MachineFacts) -> RunPlan:
    """The plan of a server. Raises: ConfigError, CannotStartError."""
    workers = worker_count(config, facts)
    stack, reason = choose_stack(config, facts)
    cpus = _worker_cpus(config, facts, workers)
    if stack == "kernel":
        return RunPlan(stack, reason, tuple(ShardPlan(i, cpus[i]) for i in range(workers)))
    ports = _shard_ports(config, facts, workers)
    count = queue_count(config, facts, workers)
    is_netlink = config.nfqueue.backend == "netlink"
    # The package of the other backend reads one queue.
    handshakes = count if is_netlink else 0
    own_total = workers if ports[0] and is_netlink else 0
    numbers = choose_queues(config, facts, count + handshakes + own_total)
    own = numbers[count + handshakes :] or (None,) * workers
    shards = (ShardPlan(i, cpus[i], ports[i], own[i]) for i in range(workers))
    return RunPlan(stack, reason, tuple(shards), numbers[:count], numbers[count : count + handshakes])
