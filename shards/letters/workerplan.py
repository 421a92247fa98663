"""The letter that a worker gets from its supervisor: all it must know, as one encoded value.

Owns the record and its encoding. Descriptors are numbers that both processes share, since the worker
inherits them.
"""

import json
from itertools import chain
from typing import Literal

import msgspec

from gossamer.core.tls.terms import ServedCertificates
from gossamer.shards.configuration.config import Config
from gossamer.shards.letters.handing import LOG, root_name
from gossamer.shards.plan.plan import ShardPlan
from gossamer.shards.plan.steering import Steering

NO_DESCRIPTOR = -1


class Descriptors(msgspec.Struct, frozen=True):
    """What a worker inherits; NO_DESCRIPTOR for what its stack or target does not need."""

    liveness: int
    """Its end of file means that the server ends, or that both supervisor and keeper are gone: nobody will
    take over."""
    counters: int = NO_DESCRIPTOR
    """The memory of its row, which no other worker has; opened for each process anew."""
    go: int = NO_DESCRIPTOR
    """A successor begins when this is readable: its predecessor has let go of the queue. Only where queues
    do not move."""
    listening: int = NO_DESCRIPTOR
    queues: tuple[tuple[int, ...], ...] = ()
    """Of the queues that it begins with, in the order of `WorkerPlan.queues`: of each its own, and that of
    its SYNs where they have one."""
    raw_ipv4: int = NO_DESCRIPTOR
    raw_ipv6: int = NO_DESCRIPTOR
    frames: int = NO_DESCRIPTOR
    """The socket that frames leave from, where they may (`shards.opening.frames`)."""
    root: int = NO_DESCRIPTOR
    sites: tuple[int, ...] = ()
    """The folders of further sites, in the order of the configuration."""
    access_log: int = NO_DESCRIPTOR
    """Where its lines go; NO_DESCRIPTOR for standard output."""
    handed: int = NO_DESCRIPTOR
    """Where comes what takes the place of a root or of a log file (`shards.letters.handing`)."""
    letters: int = NO_DESCRIPTOR
    """Where the supervisor's letters come from (`shards.letters.letters`)."""
    checkpoints: int = NO_DESCRIPTOR
    """The memory in which it writes its connections down, should it be killed; opened for each process
    anew."""
    left_behind: int = NO_DESCRIPTOR
    """That of one that was killed, whose queues it begins with."""
    reserved: int = NO_DESCRIPTOR
    """What keeps the kernel's TCP silent on our port: it must live as long as anybody answers there."""

    def exchanged(self) -> dict[str, int]:
        """Those that another may take the place of, by the names in `shards.letters.handing`."""
        roots = {root_name(number): fd for number, fd in enumerate((self.root, *self.sites))}
        found = {**roots, LOG: self.access_log}
        return {name: fd for name, fd in found.items() if fd != NO_DESCRIPTOR}

    def inherited(self) -> tuple[int, ...]:
        """Those that there are."""
        single = (fd for fd in msgspec.structs.astuple(self) if isinstance(fd, int) and fd != NO_DESCRIPTOR)
        return (*single, *self.sites, *chain.from_iterable(self.queues))


class Identity(msgspec.Struct, frozen=True):
    """Whom a worker becomes."""

    uid: int
    gid: int


class Confinement(msgspec.Struct, frozen=True):
    """What a worker gives up before it serves: all that this machine lets it."""

    identity: Identity | None = None
    """None: stay who we are."""
    drops_capabilities: bool = False
    """Of one that stays who it is; a change of user drops them anyway."""
    forbids_new_privileges: bool = True
    refuses_calls: bool = True
    """Whether it has those calls refused to itself that it never makes (`shards.confinement.refusals`)."""


class WorkerPlan(msgspec.Struct, frozen=True):
    """The whole letter."""

    config: Config
    stack: Literal["kernel", "nfqueue"]
    shard: ShardPlan
    host: str
    port: int
    descriptors: Descriptors
    confinement: Confinement
    fast_open_secret: bytes = b""
    """Of the Fast Open cookies of all workers: a client's next connection may go to another one."""
    boot_secret: bytes = b""
    """Of the sequence numbers and timestamps of this boot (`shards.rundir.bootsecret`)."""
    certificates: ServedCertificates | None = None
    """With their keys, which the user that it becomes may not be able to read; None where connections are
    plain."""
    queues: tuple[int, ...] = ()
    """The numbers of the queues that it begins with."""
    steering: Steering | None = None
    """How flows come to queues; None where that is of no matter."""
    is_successor: bool = False
    """Whether its queues come once it is ready, from a worker that has them (`shards.moving.handover`)."""


def encode_plan(plan: WorkerPlan) -> bytes:
    """The bytes of a plan. The standard library's JSON alone takes the name of a folder that is no UTF-8."""
    return json.dumps(msgspec.to_builtins(plan)).encode()


def decode_plan(data: bytes) -> WorkerPlan:
    """The plan in those bytes. Raises: ValueError, msgspec.ValidationError."""
    return msgspec.convert(json.loads(data), WorkerPlan)
