"""Builds gossamer.ffi._system: calls of the kernel and of the C library that the standard library lacks."""

from pathlib import Path

from cffi import FFI

NAMES = ("accept4", "openat2", "privileges", "mallopt", "systemcalls", "timerfd")
SOURCES = [Path(__file__).parent / "src" / f"{name}.c" for name in NAMES]

builder = FFI()
builder.cdef(
    """
    int gossamer_accept(int fd, unsigned char *name, unsigned name_max);

    int gossamer_openat2(int directory_fd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

    int gossamer_prctl(int option, unsigned long argument);
    int gossamer_set_capabilities(uint64_t mask);
    int gossamer_get_capabilities(uint64_t *masks);

    int gossamer_keep_memory(int kept, int mapped);

    long gossamer_call_number(const char *name);
    long gossamer_call(long number, long first, long second, long third, long fourth);

    int gossamer_timerfd_create(void);
    int gossamer_timerfd_set(int fd, int64_t at_us);
    """
)
builder.set_source(
    "gossamer.ffi._system",
    "\n".join(source.read_text() for source in SOURCES),
    extra_compile_args=["-O2", "-g0", "-Wall", "-Wextra"],
)
