"""Builds gossamer.ffi._process: what Python lacks of privileges, of the allocator and of system calls."""

from pathlib import Path

from cffi import FFI

SOURCE = Path(__file__).parent / "src" / "process.c"

builder = FFI()
builder.cdef(
    """
    int gossamer_prctl(int option, unsigned long argument);
    int gossamer_set_capabilities(uint64_t mask);
    int gossamer_get_capabilities(uint64_t *masks);
    int gossamer_keep_memory(int kept, int mapped);
    long gossamer_call_number(const char *name);
    long gossamer_call(long number, long first, long second, long third, long fourth);
    """
)
builder.set_source(
    "gossamer.ffi._process", SOURCE.read_text(), extra_compile_args=["-O2", "-Wall", "-Wextra"]
)
