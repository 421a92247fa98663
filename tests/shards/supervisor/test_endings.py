"""What follows the end of a process, as a table."""

import pytest

from gossamer.shards.exitcode import ExitCode
from gossamer.shards.supervisor.endings import Consequence, EndedProcess, consequence_of
from gossamer.shards.supervisor.restart import WorkerExit


def end(
    status: int = 1, *, successor: bool = False, bare: bool = True, leaving: bool = False
) -> EndedProcess:
    return EndedProcess(WorkerExit(0, status), 17, successor, bare, leaving)


@pytest.mark.parametrize(
    ("ended", "is_stopping", "is_ready", "follows"),
    [
        (end(), True, True, Consequence.NOTHING),
        (end(), False, True, Consequence.REPLACE),
        (end(-9), False, False, Consequence.REPLACE),
        (end(bare=False), False, True, Consequence.NOTHING),
        (end(successor=True, bare=False), False, True, Consequence.REPLACEMENT_FAILED),
        (end(leaving=True), False, True, Consequence.FORGET_SHARD),
        (end(leaving=True, bare=False), False, True, Consequence.NOTHING),
        (end(ExitCode.USAGE), False, False, Consequence.SERVER_FAILED),
        (end(ExitCode.CANNOT_START), False, False, Consequence.SERVER_FAILED),
        (end(ExitCode.CANNOT_START), False, True, Consequence.REPLACE),
    ],
)
def test_end_of_a_process__what_follows(
    ended: EndedProcess, is_stopping: bool, is_ready: bool, follows: Consequence
) -> None:
    assert consequence_of(ended, is_stopping=is_stopping, is_ready=is_ready) is follows
