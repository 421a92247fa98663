"""Builds gossamer.ffi._aio."""

from cffi import FFI

builder = FFI()
builder.cdef("int gossamer_aio_placeholder(void);")
builder.set_source("gossamer.ffi._aio", "static int gossamer_aio_placeholder(void) { return 0; }")
