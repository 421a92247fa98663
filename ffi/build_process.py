"""Builds gossamer.ffi._process."""

from cffi import FFI

builder = FFI()
builder.cdef("int gossamer_process_placeholder(void);")
builder.set_source("gossamer.ffi._process", "static int gossamer_process_placeholder(void) { return 0; }")
