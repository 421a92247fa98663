"""What one supervisor leaves to the next: the record of a server, and the descriptors that go with it.

    run directory -> the keeper's socket -> Claim -> every descriptor by its name, and the record

Owns the record, and that nothing of it is believed before it is checked: its form, that each descriptor it
needs has come, and that each is of the kind that its name says. Who answers stands in a private folder of the
same user; counters are the workers', and are read as a stranger's everywhere.
"""

import contextlib
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gossamer.shards.configuration.config import Config
from gossamer.shards.exitcode import CannotStartError, NotRunningError
from gossamer.shards.keeper.deposit import Deposit
from gossamer.shards.keeper.keeper import CLAIMS, CONTROL, LIVENESS, LOCK
from gossamer.shards.keeper.notes import (
    Claim,
    Complete,
    Keep,
    Refuse,
    ServerNote,
    UnheardError,
    hear,
    say,
)
from gossamer.shards.machine.procfs import ProcessIdentity
from gossamer.shards.plan.plan import RunPlan
from gossamer.shards.rundir.rundir import KEEPER, read_state
from gossamer.shards.seen.counters import COLUMNS, WORD_BYTES

CLAIM_SECONDS: Final = 10.0
DESCRIPTORS_MAX: Final = 4096
ROW: Final = "row"
GO: Final = "go"
CHECKPOINTS: Final = "checkpoints"
HANDED: Final = "handed"
LETTERS: Final = "letters"
LISTENING: Final = "listening"
QUEUE: Final = "queue"
HANDSHAKES: Final = "handshakes"
"""Of the queue of that number: where the SYNs of its flows come to."""
LIVENESS_READ: Final = "liveness read"
RESERVED: Final = "reserved"
RAW_IPV4: Final = "raw IPv4"
RAW_IPV6: Final = "raw IPv6"
FRAMES: Final = "frames"
ADMIN: Final = "admin"

Role = Literal["current", "successor", "retiring", "retired"]
Pid = Annotated[int, Meta(ge=2, le=2**31 - 1)]
ShardNumber = Annotated[int, Meta(ge=0, le=2**16)]
Word = Annotated[int, Meta(ge=0)]


def named(kind: str, number: int) -> str:
    """The name of one of several of a kind."""
    return f"{kind} {number}"


class ProcessRecord(msgspec.Struct, frozen=True):
    """One worker process."""

    pid: Pid
    start_ticks: Word
    started_us: Word
    role: Role
    columns: tuple[str, ...] = COLUMNS
    """Of its row: those of the version that it runs."""

    @property
    def owner(self) -> ProcessIdentity:
        """The process, told from a later one of its number."""
        return ProcessIdentity(self.pid, self.start_ticks)


class ShardRecord(msgspec.Struct, frozen=True):
    """One shard, and its processes."""

    shard: ShardNumber
    restarts: Word
    is_leaving: bool
    carried: dict[str, Word]
    processes: tuple[ProcessRecord, ...]


class ServerRecord(msgspec.Struct, frozen=True):
    """A server as its supervisor knew it last."""

    config: Config
    plan: RunPlan
    host: str
    port: Annotated[int, Meta(ge=0, le=65535)]
    """0 on a Unix socket."""
    owners: dict[int, ShardNumber]
    shards: tuple[ShardRecord, ...]
    wanted: Annotated[int, Meta(ge=1)]
    generation: Word
    why_packets: str | None
    hmark_secret: Word
    fast_open_secret: bytes
    boot_secret: bytes
    chains: tuple[str, ...]
    connection_layout: Word = 1
    """Of the functional TCP's connections, as its workers write them (`core.tcp.codec`)."""


def encode_record(record: ServerRecord) -> bytes:
    """Its octets. The standard library's JSON alone takes the name of a folder that is no UTF-8."""
    return json.dumps(msgspec.to_builtins(record, str_keys=True)).encode()


def decode_record(octets: bytes) -> ServerRecord:
    """The record in them. Raises: ValueError."""
    try:
        return msgspec.convert(json.loads(octets), ServerRecord, str_keys=True)
    except msgspec.ValidationError as error:  # Not in every version of msgspec is it a ValueError.
        raise ValueError(str(error)) from error


class Estate(msgspec.Struct, frozen=True):
    """All that was left, checked."""

    directory: Path
    record: ServerRecord
    descriptors: dict[str, int]
    deposit: Deposit

    def close(self) -> None:
        """Have nothing of it any more; what the keeper holds is not touched."""
        _close_all(self.descriptors)
        self.deposit.close()


def descriptors_of(record: ServerRecord) -> Iterator[str]:
    """The names of those that the record cannot do without."""
    yield from (LOCK, LIVENESS, LIVENESS_READ, CONTROL, CLAIMS)
    if record.plan.stack == "nfqueue":
        yield from (RESERVED, RAW_IPV4)
        if record.config.nfqueue.backend == "netlink":
            yield from (named(QUEUE, number) for number in record.plan.queues)
            handshakes = zip(record.plan.queues, record.plan.handshake_queues, strict=False)
            yield from (named(HANDSHAKES, number) for number, _ in handshakes)
    for shard in record.shards:
        if record.plan.stack == "kernel":
            yield named(LISTENING, shard.shard)
        for process in shard.processes:
            yield from (named(kind, process.pid) for kind in (ROW, HANDED, LETTERS))


SOCKETS: Final = frozenset(
    {
        HANDED,
        LETTERS,
        LISTENING,
        QUEUE,
        HANDSHAKES,
        RESERVED,
        RAW_IPV4,
        RAW_IPV6,
        FRAMES,
        ADMIN,
        CONTROL,
        CLAIMS,
    }
)
PIPES: Final = frozenset({LIVENESS, LIVENESS_READ, GO})


def check(record: ServerRecord, descriptors: Mapping[str, int]) -> None:
    """Raises: ValueError that says what is missing, or is not what its name says."""
    missing = [name for name in descriptors_of(record) if name not in descriptors]
    if missing:
        raise ValueError(f"{missing[0]!r} is missing")
    for name, fd in descriptors.items():
        kind = name if name in SOCKETS | PIPES else name.rpartition(" ")[0]
        mode = os.fstat(fd).st_mode
        if (kind in SOCKETS and not stat.S_ISSOCK(mode)) or (kind in PIPES and not stat.S_ISFIFO(mode)):
            raise ValueError(f"{name!r} is something else")
    for shard in record.shards:
        for process in shard.processes:
            _check_row(process, descriptors[named(ROW, process.pid)])


def _check_row(process: ProcessRecord, fd: int) -> None:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size < len(process.columns) * WORD_BYTES:
        raise ValueError(f"the counters of process {process.pid} are too short")
    if not {"state", "heartbeat_us"} <= set(process.columns):
        raise ValueError(f"the counters of process {process.pid} have no heartbeat")


def claim(directory: Path, *, is_adoption: bool) -> Estate:
    """What the keeper of a run directory holds; with `is_adoption` this process is the supervisor now.

    Raises: NotRunningError where nobody answers; CannotStartError where it refuses, or what it gives is not
    sound.
    """
    state = read_state(directory)
    if state is None or state.keeper is None:
        raise NotRunningError(f"--run-dir {directory}: no server is left there to take over")
    with contextlib.ExitStack() as undo:
        channel = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        channel.settimeout(CLAIM_SECONDS)
        descriptors: dict[str, int] = {}
        undo.callback(_close_all, descriptors)
        try:
            channel.connect(os.fspath(directory / KEEPER))
            say(channel, Claim(is_adoption))
            record = decode_record(_take_all(channel, descriptors).content)
            check(record, descriptors)
        except (OSError, ValueError, UnheardError) as error:
            raise CannotStartError(
                f"--run-dir {directory}: what the server there left cannot be taken over: {error}; "
                f"gossamer stop --run-dir {directory} ends it"
            ) from error
        undo.pop_all()
    return Estate(directory, record, descriptors, Deposit(channel, state.keeper, descriptors))


def _close_all(descriptors: Mapping[str, int]) -> None:
    for fd in descriptors.values():
        os.close(fd)


def _take_all(channel: socket.socket, descriptors: dict[str, int]) -> ServerNote:
    """Raises: OSError, ValueError, UnheardError."""
    note: ServerNote | None = None
    while heard := hear(channel):
        match heard:
            case (Keep(name), int(fd)) if len(descriptors) < DESCRIPTORS_MAX:
                descriptors[name] = fd
            case (ServerNote() as note, None):
                pass
            case (Complete(), None) if note is not None:
                return note
            case (Refuse(why), None):
                raise ValueError(why)
            case _:
                raise ValueError("it says what was not asked for")
    raise ValueError("the keeper ended")
