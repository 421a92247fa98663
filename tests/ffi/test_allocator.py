"""Freed memory stays: what is taken next costs no page faults."""

import subprocess
import sys

import pytest
from gossamer.ffi.allocator import MAPPED_BYTES_MIN

FAULTS_OF_A_THOUSAND_BUFFERS = """
import resource, sys
from gossamer.ffi.allocator import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    raise SystemExit(77)
for _ in range(10):
    b"x" * int(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(1_000):
    b"x" * int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str, buffer_bytes: int) -> int:
    argv = [sys.executable, "-c", FAULTS_OF_A_THOUSAND_BUFFERS, how, str(buffer_bytes)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this C library has no mallopt")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_keep_freed_memory__buffers_taken_and_freed__no_page_fault_each() -> None:
    buffer_bytes = MAPPED_BYTES_MIN // 2
    assert faults("kept", buffer_bytes) < 100
    assert faults("as it was", buffer_bytes) > 1_000
