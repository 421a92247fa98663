/* The kernel's native AIO, by system call.
 *
 * Owns the iocbs of one context: one slot a request, so that a request can be cancelled. Every function answers
 * a result or -errno and decides nothing.
 *
 * Source: io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define GOSSAMER_EVENTS_MAX 64

typedef struct gossamer_aio {
    aio_context_t context;
    unsigned depth;
    int eventfd;
    struct iocb iocbs[];
} gossamer_aio;

typedef struct {
    uint64_t slot;
    int64_t result;
} gossamer_aio_done;

static gossamer_aio *gossamer_aio_open(unsigned depth, int eventfd, int *error)
{
    gossamer_aio *aio = calloc(1, sizeof *aio + (size_t)depth * sizeof(struct iocb));
    if (aio == NULL) {
        *error = ENOMEM;
        return NULL;
    }
    aio->depth = depth;
    aio->eventfd = eventfd;
    if (syscall(SYS_io_setup, depth, &aio->context) < 0) {
        *error = errno;
        free(aio);
        return NULL;
    }
    /* A sandbox may allow the first call and none of the others: nothing is asked of them here. */
    struct timespec at_once = {0, 0};
    if (syscall(SYS_io_submit, aio->context, 0L, NULL) < 0 ||
        syscall(SYS_io_getevents, aio->context, 0L, 0L, NULL, &at_once) < 0) {
        *error = errno;
        syscall(SYS_io_destroy, aio->context);
        free(aio);
        return NULL;
    }
    return aio;
}

static int gossamer_aio_read(gossamer_aio *aio, unsigned slot, int fd, uintptr_t address, size_t length, int64_t offset)
{
    if (slot >= aio->depth)
        return -EINVAL;
    struct iocb *iocb = &aio->iocbs[slot];
    memset(iocb, 0, sizeof *iocb);
    iocb->aio_data = slot;
    iocb->aio_lio_opcode = IOCB_CMD_PREAD;
    iocb->aio_fildes = (uint32_t)fd;
    iocb->aio_buf = address;
    iocb->aio_nbytes = length;
    iocb->aio_offset = offset;
    iocb->aio_flags = IOCB_FLAG_RESFD;
    iocb->aio_resfd = (uint32_t)aio->eventfd;
    long submitted = syscall(SYS_io_submit, aio->context, 1L, &iocb);
    return submitted == 1 ? 0 : submitted == 0 ? -EAGAIN : -errno;
}

static int gossamer_aio_cancel(gossamer_aio *aio, unsigned slot)
{
    struct io_event event;
    if (slot >= aio->depth)
        return -EINVAL;
    return syscall(SYS_io_cancel, aio->context, &aio->iocbs[slot], &event) < 0 ? -errno : 0;
}

static int gossamer_aio_reap_some(gossamer_aio *aio, gossamer_aio_done *done, unsigned done_max)
{
    struct io_event events[GOSSAMER_EVENTS_MAX];
    struct timespec at_once = {0, 0};
    long wanted = done_max < GOSSAMER_EVENTS_MAX ? done_max : GOSSAMER_EVENTS_MAX;
    long got;
    /* It never waits, but says EINTR where a signal is pending; events would stay unheard of. */
    do
        got = syscall(SYS_io_getevents, aio->context, 0L, wanted, events, &at_once);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    for (long i = 0; i < got; i++) {
        done[i].slot = events[i].data;
        done[i].result = events[i].res;
    }
    return (int)got;
}

static int gossamer_aio_reap(gossamer_aio *aio, gossamer_aio_done *done, unsigned done_max)
{
    unsigned count = 0;
    int got;
    do {
        got = gossamer_aio_reap_some(aio, done + count, done_max - count);
        if (got < 0)
            return count ? (int)count : got;
        count += (unsigned)got;
    } while (got == GOSSAMER_EVENTS_MAX && count < done_max);
    return (int)count;
}

/* Waits until nothing is in flight any more: the kernel writes into no buffer after this. */
static int gossamer_aio_close(gossamer_aio *aio)
{
    int failed = syscall(SYS_io_destroy, aio->context) < 0 ? -errno : 0;
    free(aio);
    return failed;
}
