"""Builds gossamer.ffi._packet: parsing, checksum, netlink receive and raw send of whole batches of packets.

Owns how the C sources are compiled. `src/packet.h` is also the interface that cffi reads, so there is no
second copy of it.
"""

from pathlib import Path

from cffi import FFI

SOURCE_DIR = "gossamer/ffi/src"
SOURCES = (
    "checksum",
    "upper",
    "parse_ip",
    "parse_tcp",
    "parse_icmp",
    "build",
    "frame",
    "hold",
    "join",
    "read",
    "receive",
    "send",
)
HEADERS = ("hold", "packet", "parse")


def interface(header: str) -> str:
    """The header without its preprocessor lines, which cffi does not read."""
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


builder = FFI()
builder.cdef(interface(Path(SOURCE_DIR, "packet.h").read_text()))
builder.set_source(
    "gossamer.ffi._packet",
    '#include "packet.h"',
    sources=[f"{SOURCE_DIR}/{name}.c" for name in SOURCES],
    depends=[f"{SOURCE_DIR}/{name}.h" for name in HEADERS],
    include_dirs=[SOURCE_DIR],
    extra_compile_args=["-std=gnu11", "-O2", "-g0", "-Wall", "-Wextra"],
)
