"""Builds gossamer.ffi._packet."""

from cffi import FFI

builder = FFI()
builder.cdef("int gossamer_packet_placeholder(void);")
builder.set_source("gossamer.ffi._packet", "static int gossamer_packet_placeholder(void) { return 0; }")
