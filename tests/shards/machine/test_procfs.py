"""What is read from /proc."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from gossamer.shards.machine.procfs import (
    ProcessIdentity,
    QueueLine,
    held_to,
    is_alive,
    own_identity,
    parse_held,
    parse_queues,
    start_ticks,
    user_outside,
)

QUEUES = """  100  13983     3 2 65531     5     7      120  1
  101 2147483650     0 2 65531     0     0        0  1
"""


def test_parse_queues__waiting_and_both_drops() -> None:
    assert parse_queues(QUEUES) == [QueueLine(100, 3, 5, 7), QueueLine(101, 0, 0, 0)]
    assert parse_queues("\n") == []


def test_held_to__this_process_and_none() -> None:
    held = held_to(os.getpid())
    assert held is not None
    assert (held.uid, set(held.groups)) == (os.geteuid(), set(os.getgroups()))
    assert held.descriptors_max == str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    assert held_to(4_194_305) is None
    assert parse_held("Name:\tx\n", "") is None


def test_is_alive__this_process__yes() -> None:
    assert own_identity().pid == os.getpid()
    assert is_alive(own_identity())


def test_is_alive__same_pid_started_at_another_time__no() -> None:
    own = own_identity()
    assert not is_alive(ProcessIdentity(own.pid, own.start_ticks + 1))


def test_start_ticks__ended_and_not_yet_reaped__none() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert start_ticks(process.pid) is None
    process.wait()
    assert start_ticks(process.pid) is None


FIRST_THREAD_ENDS = (
    "import ctypes, sys, threading\n"
    "threading.Thread(target=sys.stdin.read).start()\n"
    "ctypes.CDLL(None).pthread_exit(None)\n"
)


def test_start_ticks__first_thread_has_ended_and_another_not__still_there() -> None:
    with subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS], stdin=subprocess.PIPE) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        give_up = time.monotonic() + 20
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < give_up
            time.sleep(0.01)
        assert process.poll() is None
        assert start_ticks(process.pid) is not None


def test_user_outside__as_the_map_says__and_oneself_where_it_says_nothing() -> None:
    lent = "         0       1007          1\n         1     300000      65536\n"
    assert [user_outside(uid, lent) for uid in (0, 1, 65534, 70000)] == [1007, 300000, 365533, 70000]
    assert user_outside(1007, "0 0 4294967295\n") == 1007
    assert user_outside(os.geteuid()) >= 0
