"""How a server is split into shards: (configuration, machine) -> plan. Pure.

Owns the choice of the stack with its reason, and who gets which queue number, mark, CPU and local ports.
Opens nothing and asks the machine nothing: what it needs to know comes in as `MachineFacts`.
"""

from typing import Final, Literal

import msgspec
from gossamer.shards.config import Config
from gossamer.shards.exitcode import CannotStartError, StackUnavailableError

MARK_FIRST: Final = 1
"""Mark 0 means unmarked."""


class MachineFacts(msgspec.Struct, frozen=True):
    """What the plan depends on beside the configuration."""

    cpus: tuple[int, ...]
    """Those that this process may use."""
    nfqueue_obstacle: str = ""
    """Why the functional TCP cannot run here, with the way out; "" when it can."""
    queues_taken: frozenset[int] = frozenset()
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
    queue: int | None = None
    mark: int = 0
    active_ports: PortRange | None = None


class RunPlan(msgspec.Struct, frozen=True):
    """The whole server."""

    stack: Literal["kernel", "nfqueue"]
    reason: str
    """Why this stack."""
    shards: tuple[ShardPlan, ...]


def choose_stack(config: Config, facts: MachineFacts) -> tuple[Literal["kernel", "nfqueue"], str]:
    """The stack, and why. Raises: CannotStartError when the one that was asked for cannot be had."""
    wanted = config.server.stack
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
            f"allowed: one for each of {count} workers; name a wider range"
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


def worker_count(config: Config, facts: MachineFacts) -> int:
    """How many workers."""
    return len(facts.cpus) if config.server.workers == "auto" else config.server.workers


def plan_shards(config: Config, facts: MachineFacts) -> RunPlan:
    """The plan of a server. Raises: CannotStartError."""
    workers = worker_count(config, facts)
    stack, reason = choose_stack(config, facts)
    pinned = config.server.pin_cpus and workers <= len(facts.cpus)
    cpus = [facts.cpus[i] if pinned else None for i in range(workers)]
    if stack == "kernel":
        return RunPlan(stack, reason, tuple(ShardPlan(i, cpus[i]) for i in range(workers)))
    queues = choose_queues(config, facts, workers)
    ports = _shard_ports(config, facts, workers)
    shards = (ShardPlan(i, cpus[i], queues[i], MARK_FIRST + i, ports[i]) for i in range(workers))
    return RunPlan(stack, reason, tuple(shards))
