"""Starts one worker by exec and looks after its process: the thin doer of a `WorkerPlan`.

Owns the process and its descriptors: plan, counters, go pipe. No fork with threads or a display alive: the
child execs at once, in a process group of its own, so that Ctrl-C reaches the supervisor alone. What stands
in its counters is read as a stranger's.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from gossamer.core import native
from gossamer.core.checkpoint_rows import memory_bytes
from gossamer.core.clock import monotonic_us
from gossamer.ffi.shared_memory import create_memory, sealed_message
from gossamer.shards.confinement.imports import environment_without_here
from gossamer.shards.keeper.adopted import AdoptedProcess
from gossamer.shards.keeper.succession import (
    CHECKPOINTS,
    GO,
    HANDED,
    LETTERS,
    ROW,
    ProcessRecord,
    Role,
    named,
)
from gossamer.shards.letters.handing import FileIdentity, hand_over, identity_of
from gossamer.shards.letters.letters import Letter, send_letter
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR, WorkerPlan, encode_plan
from gossamer.shards.machine.inherited import options_of_python
from gossamer.shards.machine.procfs import start_ticks
from gossamer.shards.machine.usage import ProcessUsage
from gossamer.shards.seen.counters import COLUMNS, WorkerState, create_row, map_row, state_of

MEMORY: Final = "gossamer-checkpoints"
ROWS: Final = 16_384
"""Connections of a worker that live on when it is killed; the memory takes room only for what is written."""
CLOCK_SLACK_US: Final = 1_000_000
"""How much later than now a heart may have beaten: `now_us` is asked for before the row is read."""


def with_descriptors(plan: WorkerPlan, **descriptors: int) -> WorkerPlan:
    """The plan of a worker that inherits these too."""
    return msgspec.structs.replace(plan, descriptors=msgspec.structs.replace(plan.descriptors, **descriptors))


def keeps_checkpoints(plan: WorkerPlan) -> bool:
    """Whether a worker of that plan writes its connections down: where they could go on in another one."""
    return (
        plan.config.supervisor.survive_crash
        and plan.stack == "nfqueue"
        and plan.config.nfqueue.backend == "netlink"
    )


class ProcessHandle(Protocol):
    """What is asked of a process: a child's `subprocess.Popen` has it, and `AdoptedProcess`."""

    @property
    def pid(self) -> int:
        """Its number."""

    def send_signal(self, sig: int) -> None:
        """Send a signal."""

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""

    def wait(self) -> int:
        """Its exit status, once it has ended."""


class WorkerProcess:
    """A worker that runs or ran."""

    def __init__(self, plan: WorkerPlan, *, waits: bool) -> None:
        """Start it; with `waits`, it begins to serve only after `go`. Raises: OSError."""
        self.shard = plan.shard.id
        self.started_us = monotonic_us()
        self.stop_deadline_us: int | None = None
        self.held = {name: identity_of(fd) for name, fd in plan.descriptors.exchanged().items()}
        """The folders and files that it has."""
        self._process: ProcessHandle
        self._handed, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._letters, their_letters = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._go_write = NO_DESCRIPTOR
        self.checkpoints = (
            create_memory(MEMORY, memory_bytes(ROWS)) if keeps_checkpoints(plan) else NO_DESCRIPTOR
        )
        """The memory in which it writes its connections down."""
        with contextlib.ExitStack() as given:
            given.callback(theirs.close)
            given.callback(their_letters.close)
            plan = with_descriptors(plan, handed=theirs.fileno(), letters=their_letters.fileno())
            plan = with_descriptors(plan, checkpoints=self.checkpoints)
            self._process = self._start(plan, given, waits=waits)
        self.pid = self._process.pid
        self.start_ticks = start_ticks(self.pid) or 0
        self.columns: tuple[str, ...] = COLUMNS
        self._usage = ProcessUsage(self.pid, self.started_us)

    def _start(
        self, plan: WorkerPlan, given: contextlib.ExitStack, *, waits: bool
    ) -> subprocess.Popen[bytes]:
        """The process; what it alone inherits is `given` it, and closed here. Raises: OSError."""
        counters = self._row_fd = create_row()
        self.row = map_row(counters)
        go = NO_DESCRIPTOR
        if waits:
            go, self._go_write = os.pipe2(os.O_CLOEXEC)
            given.callback(os.close, go)
        plan = with_descriptors(plan, go=go, counters=counters)
        content = encode_plan(plan)
        letter = sealed_message("gossamer-plan", content)
        given.callback(os.close, letter)
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "gossamer.shards.worker.worker", "--plan-fd", str(letter)],
                env=environment_without_here(os.environ) | native.inherited() | options_of_python(),
                stdin=subprocess.DEVNULL,
                pass_fds=(letter, *plan.descriptors.inherited()),
                process_group=0,
            )
        except OSError:
            self._close()  # Nobody waits for it.
            if self.checkpoints != NO_DESCRIPTOR:
                os.close(self.take_checkpoints())
            raise

    @classmethod
    def adopted(cls, record: ProcessRecord, shard: int, descriptors: Mapping[str, int]) -> "WorkerProcess":
        """One that another supervisor has started."""
        process = cls.__new__(cls)
        process.shard, process.pid, process.start_ticks = shard, record.pid, record.start_ticks
        process.started_us, process.columns = record.started_us, record.columns
        process.stop_deadline_us, process.held = None, {}
        process._row_fd = descriptors[named(ROW, record.pid)]
        process.row = map_row(process._row_fd, record.columns)
        process._handed = socket.socket(fileno=descriptors[named(HANDED, record.pid)])
        process._letters = socket.socket(fileno=descriptors[named(LETTERS, record.pid)])
        process._go_write = descriptors.get(named(GO, record.pid), NO_DESCRIPTOR)
        process.checkpoints = descriptors.get(named(CHECKPOINTS, record.pid), NO_DESCRIPTOR)
        process._process = AdoptedProcess(record.owner)
        process._usage = ProcessUsage(record.pid, record.started_us)
        return process

    def record(self, role: Role) -> ProcessRecord:
        """What the next supervisor must know of it."""
        return ProcessRecord(self.pid, self.start_ticks, self.started_us, role, self.columns)

    def descriptors(self) -> dict[str, int]:
        """What the next supervisor must have of it, by the names in `shards.keeper.succession`."""
        found = {
            named(ROW, self.pid): self._row_fd,
            named(HANDED, self.pid): self._handed.fileno(),
            named(LETTERS, self.pid): self._letters.fileno(),
            named(GO, self.pid): self._go_write,
            named(CHECKPOINTS, self.pid): self.checkpoints,
        }
        return {name: fd for name, fd in found.items() if fd != NO_DESCRIPTOR}

    @property
    def state(self) -> WorkerState:
        """How far it says it has come."""
        return state_of(self.row.get("state"))

    def heartbeat_age_us(self, now_us: int) -> int:
        """How long ago its heart has beaten; since its start before the first time, and for one that says it
        will beat in a time to come."""
        beaten_us = self.row.get("heartbeat_us")
        is_sound = self.started_us <= beaten_us <= now_us + CLOCK_SLACK_US
        return max(0, now_us - (beaten_us if is_sound else self.started_us))

    def figures(self, now_us: int) -> tuple[float, int, int, int]:
        """CPU in percent since this was asked last, CPU in us of its whole life, resident bytes, age of the
        heartbeat."""
        percent, rss_bytes = self._usage.figures(now_us)
        return percent, self._usage.cpu_us, rss_bytes, self.heartbeat_age_us(now_us)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; to nobody else, even when it has ended meanwhile: the number is its own until it is
        reaped, and then nothing is sent.
        """
        self._process.send_signal(number)

    def has_ended(self) -> bool:
        """Whether it has; asked without waiting."""
        return self._process.poll() is not None

    def ask_to_stop(self, number: signal.Signals, deadline_us: int) -> None:
        """Send a signal, and note when patience ends; one that has not begun yet has nothing to finish."""
        self.stop_deadline_us = deadline_us
        self.send(signal.SIGKILL if self.state is WorkerState.STARTING else number)

    def give(self, name: str, fd: int, identity: FileIdentity) -> None:
        """Send it what stands for that name by now, unless it has it."""
        if self.held.get(name, identity) != identity and hand_over(self._handed, name, fd):
            self.held[name] = identity

    def send_letter(self, letter: Letter, descriptors: Sequence[int]) -> bool:
        """Send it a letter; whether it went out."""
        return send_letter(self._letters, letter, descriptors)

    def tap(self, name: str, fd: int) -> bool:
        """Have it tell of its packets over a socket; whether it was told so."""
        return hand_over(self._handed, name, fd)

    def go(self) -> None:
        """Let a successor begin."""
        if self._go_write != NO_DESCRIPTOR:
            os.close(self._go_write)
            self._go_write = NO_DESCRIPTOR

    def kill(self) -> None:
        """Have it ended, if it has not been reaped."""
        if self._process.poll() is None:
            self.send(signal.SIGKILL)
            self.reap()

    def reap(self) -> int:
        """The exit status of one that has ended, and its descriptors closed, but for what `take_checkpoints`
        gives."""
        status = self._process.wait()
        self._close()
        return status

    def take_checkpoints(self) -> int:
        """The memory in which it wrote its connections down, the caller's from now on; NO_DESCRIPTOR where
        there is none."""
        fd, self.checkpoints = self.checkpoints, NO_DESCRIPTOR
        return fd

    def _close(self) -> None:
        self.go()
        os.close(self._row_fd)
        self._handed.close()
        self._letters.close()
