"""Freed memory stays: what is taken next costs no page faults."""

import subprocess
import sys

import pytest

FAULTS_OF_A_HUNDRED_ROUNDS = """
import resource, sys
from gossamer.ffi.allocator import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    raise SystemExit(77)
def rounds(count):
    for _ in range(count):
        held = [bytes(bytearray(200 * 1024)) for _ in range(16)]
        del held
rounds(10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
rounds(100)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    argv = [sys.executable, "-c", FAULTS_OF_A_HUNDRED_ROUNDS, how]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this C library has no mallopt")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_keep_freed_memory__buffers_taken_and_freed__no_page_fault_each() -> None:
    assert faults("kept") < 100
    assert faults("as it was") > 10_000
