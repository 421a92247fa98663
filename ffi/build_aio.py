"""Builds gossamer.ffi._aio: the two ways in which the kernel reads and writes files without blocking."""

from pathlib import Path

from cffi import FFI

SOURCES = [Path(__file__).parent / "src" / name for name in ("aio.c", "uring.c")]

builder = FFI()
builder.cdef(
    """
    typedef struct gossamer_aio gossamer_aio;

    typedef struct {
        uint64_t slot;
        int64_t result;
    } gossamer_aio_done;

    gossamer_aio *gossamer_aio_open(unsigned depth, int eventfd, int *error);
    int gossamer_aio_read(gossamer_aio *aio, unsigned slot, int fd, uintptr_t address, size_t length,
                          int64_t offset);
    int gossamer_aio_cancel(gossamer_aio *aio, unsigned slot);
    int gossamer_aio_reap(gossamer_aio *aio, gossamer_aio_done *done, unsigned done_max);
    int gossamer_aio_close(gossamer_aio *aio);

    typedef struct gossamer_uring gossamer_uring;

    gossamer_uring *gossamer_uring_open(unsigned depth, int eventfd, int *error);
    int gossamer_uring_push(gossamer_uring *ring, uint64_t slot, int opcode, int fd, uintptr_t address,
                            size_t length, int64_t offset);
    int gossamer_uring_submit(gossamer_uring *ring);
    int gossamer_uring_cancel(gossamer_uring *ring, uint64_t slot);
    int gossamer_uring_reap(gossamer_uring *ring, gossamer_aio_done *done, unsigned done_max);
    int gossamer_uring_close(gossamer_uring *ring);
    """
)
builder.set_source(
    "gossamer.ffi._aio",
    "\n".join(source.read_text() for source in SOURCES),
    extra_compile_args=["-O2", "-g0", "-Wall", "-Wextra"],
)
