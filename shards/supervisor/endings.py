"""What follows the end of a worker's process. Pure.

Owns the order of the questions: whether the whole server ends, whether the worker was to leave, whether it
was to replace another, whether a restart can help at all. When it is restarted, and when no more, is decided
in `shards.supervisor.restart`.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from gossamer.shards.exitcode import ExitCode
from gossamer.shards.supervisor.restart import WorkerExit

HOPELESS: Final = (ExitCode.USAGE, ExitCode.CANNOT_START)
"""Exit codes of a worker that a restart does not cure."""


class EndedProcess(msgspec.Struct, frozen=True):
    """A process that has ended, and what it was to its shard."""

    ended: WorkerExit
    pid: int
    was_successor: bool
    """Whether it was to replace another, and had not yet."""
    is_bare: bool
    """Whether its shard is left without a worker."""
    is_leaving: bool
    """Whether the shard's worker was to end for good."""


class Consequence(Enum):
    """What is to be done."""

    NOTHING = auto()
    FORGET_SHARD = auto()
    REPLACEMENT_FAILED = auto()
    """Those that were to replace others are given up; the others go on."""
    SERVER_FAILED = auto()
    REPLACE = auto()
    """Its queues go to the living, and another worker is started."""


def consequence_of(end: EndedProcess, *, is_stopping: bool, is_ready: bool) -> Consequence:
    """What follows; `is_ready` says whether all workers have served at once before."""
    if is_stopping:
        return Consequence.NOTHING
    if end.is_bare and end.is_leaving:
        return Consequence.FORGET_SHARD
    if end.was_successor:
        return Consequence.REPLACEMENT_FAILED
    if not end.is_bare:
        return Consequence.NOTHING
    return Consequence.SERVER_FAILED if end.ended.status in HOPELESS and not is_ready else Consequence.REPLACE
