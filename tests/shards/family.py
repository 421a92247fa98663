"""A handler that starts children in each way there is, and answers with what they see of it.

Found by the tests as TARGET family:handler; the client's first bytes name the way.
"""

import os
import subprocess
import time
from collections.abc import Callable

from gossamer import Stream, run_process, sys_blio

LOOK = ["/bin/sh", "-c", "readlink /proc/$$/fd/*; grep ^Cpus_allowed_list /proc/$$/status"]
"""What each of its descriptors is, a line each, and the processors that it may use."""
ORPHANS = 17
ORPHAN = "sleep 61"
"""Long enough to be found and ended by whoever looks."""
END = b"\4"
"""Of an answer: a child may hold the connection open."""


def forked(then: Callable[[], object]) -> int:
    """The number of a child that does `then`, and nothing of what its parent does."""
    pid = os.fork()
    if pid == 0:
        try:
            then()
        finally:
            os._exit(1)
    return pid


def stay() -> None:
    for _ in range(600):
        time.sleep(0.1)


def exec_writing_to(output: int) -> None:
    os.dup2(output, 1)
    os.execv(LOOK[0], LOOK)


def look_by_fork_and_exec() -> bytes:
    read, write = os.pipe()
    child = forked(lambda: exec_writing_to(write))
    os.close(write)
    with open(read, "rb") as answer:
        seen = answer.read()
    os.waitpid(child, 0)
    return seen


def leave_orphans() -> bytes:
    for _ in range(ORPHANS):
        subprocess.run(["/bin/sh", "-c", f"{ORPHAN} >/dev/null 2>&1 &"], check=True)
    return b"left"


def write_lines() -> bytes:
    os.write(1, b"\n" * 100)
    os.write(2, b"\n" * 100)
    return b"written"


def fork_one_that_stays() -> bytes:
    return str(forked(stay)).encode()


WAYS: dict[str, Callable[[], bytes]] = {
    "fork": fork_one_that_stays,
    "fork and exec": look_by_fork_and_exec,
    "subprocess": lambda: subprocess.run(LOOK, close_fds=False, stdout=subprocess.PIPE, check=True).stdout,
    "orphans": leave_orphans,
    "lines": write_lines,
}


async def handler(stream: Stream) -> None:
    match (await stream.recv()).decode():
        case "run_process":
            answer = (await run_process(LOOK)).stdout
        case "fork in the pool":
            answer = await sys_blio(fork_one_that_stays)
        case "exit code":
            done = await run_process(["/bin/sh", "-c", "exit 7"])
            answer = str(done.code).encode()
        case "reap":
            # The child of an earlier connection: its parent is this process.
            answer = str(os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1])).encode()
        case way:
            answer = WAYS[way]()
    await stream.send(answer + END)
    await stream.close()
