/* io_uring by system call: a ring of requests that are submitted together and reaped together.
 *
 * Owns the two rings. At most `depth` requests are queued or in flight, so the completion ring, twice as large,
 * never overflows. Every function answers a result or -errno and decides nothing.
 *
 * Where the kernel can (6.1 and later), it leaves the rest of a finished request's work to the reaper
 * (IORING_SETUP_DEFER_TASKRUN). Otherwise it interrupts this thread for each request, from whatever processor takes
 * the device's interrupt; a device that takes requests in batches stands idle meanwhile. A ring with that flag is
 * used only by the thread that made it.
 *
 * Source: io_uring_setup(2), io_uring_enter(2), io_uring_register(2), io_uring(7).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct gossamer_uring {
    int fd;
    int is_deferred;
    unsigned depth;
    unsigned queued;
    unsigned in_flight;
    unsigned *sq_head, *sq_tail, *sq_array;
    unsigned sq_mask;
    unsigned *cq_head, *cq_tail, *cq_flags;
    unsigned cq_mask;
    struct io_uring_cqe *cqes;
    struct io_uring_sqe *sqes;
    void *rings;
    size_t rings_bytes, sqes_bytes;
} gossamer_uring;

/* Headers of a system may be older than its kernel. */
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

/* How many requests the kernel finishes in one call, if so many are left (IO_LOCAL_TW_DEFAULT_MAX of Linux 6.14). A
 * guess that is wrong costs a call, or wakes the reaper once more. */
#define GOSSAMER_FINISHED_AT_ONCE 20

/* The user_data of a request to cancel: no slot. */
#define GOSSAMER_NO_SLOT UINT64_MAX

static void gossamer_uring_unmap(gossamer_uring *ring)
{
    if (ring->sqes != NULL && ring->sqes != MAP_FAILED)
        munmap(ring->sqes, ring->sqes_bytes);
    if (ring->rings != NULL && ring->rings != MAP_FAILED)
        munmap(ring->rings, ring->rings_bytes);
    if (ring->fd >= 0)
        close(ring->fd);
    free(ring);
}

/* Whether the kernel knows the operations that are used here. */
static int gossamer_uring_probe(int fd)
{
    static const uint8_t wanted[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_ASYNC_CANCEL};
    enum { OPS = 256 };
    struct io_uring_probe *probe = calloc(1, sizeof *probe + OPS * sizeof(struct io_uring_probe_op));
    if (probe == NULL)
        return -ENOMEM;
    int failed = syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, probe, OPS) < 0 ? -errno : 0;
    for (size_t i = 0; !failed && i < sizeof wanted; i++)
        if (wanted[i] > probe->last_op || !(probe->ops[wanted[i]].flags & IO_URING_OP_SUPPORTED))
            failed = -ENOSYS;
    free(probe);
    return failed;
}

static int gossamer_uring_map(gossamer_uring *ring, const struct io_uring_params *params)
{
    if (!(params->features & IORING_FEAT_SINGLE_MMAP))
        return -ENOSYS;
    size_t sq_bytes = params->sq_off.array + params->sq_entries * sizeof(unsigned);
    size_t cq_bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    ring->rings_bytes = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
    ring->sqes_bytes = params->sq_entries * sizeof(struct io_uring_sqe);
    int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
    ring->rings = mmap(NULL, ring->rings_bytes, protection, flags, ring->fd, IORING_OFF_SQ_RING);
    ring->sqes = mmap(NULL, ring->sqes_bytes, protection, flags, ring->fd, IORING_OFF_SQES);
    if (ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED)
        return -errno;
    char *base = ring->rings;
    ring->sq_head = (unsigned *)(base + params->sq_off.head);
    ring->sq_tail = (unsigned *)(base + params->sq_off.tail);
    ring->sq_array = (unsigned *)(base + params->sq_off.array);
    ring->sq_mask = *(unsigned *)(base + params->sq_off.ring_mask);
    ring->cq_head = (unsigned *)(base + params->cq_off.head);
    ring->cq_tail = (unsigned *)(base + params->cq_off.tail);
    ring->cq_flags = (unsigned *)(base + params->cq_off.flags);
    ring->cq_mask = *(unsigned *)(base + params->cq_off.ring_mask);
    ring->cqes = (struct io_uring_cqe *)(base + params->cq_off.cqes);
    return 0;
}

static int gossamer_uring_setup(gossamer_uring *ring, unsigned depth, struct io_uring_params *params)
{
    memset(params, 0, sizeof *params);
    params->flags = IORING_SETUP_CLAMP;
    if (ring->is_deferred)
        params->flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    ring->fd = (int)syscall(SYS_io_uring_setup, depth, params);
    return ring->fd < 0 ? -errno : 0;
}

static gossamer_uring *gossamer_uring_open(unsigned depth, int eventfd, int *error)
{
    struct io_uring_params params;
    gossamer_uring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        *error = ENOMEM;
        return NULL;
    }
    ring->is_deferred = 1;
    int failed = gossamer_uring_setup(ring, depth, &params);
    if (failed == -EINVAL) {
        ring->is_deferred = 0;
        failed = gossamer_uring_setup(ring, depth, &params);
    }
    if (!failed)
        failed = gossamer_uring_probe(ring->fd);
    if (!failed)
        failed = gossamer_uring_map(ring, &params);
    if (!failed && syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_EVENTFD, &eventfd, 1) < 0)
        failed = -errno;
    /* A sandbox may allow the ring and not its use: nothing is asked for here. */
    if (!failed && syscall(SYS_io_uring_enter, ring->fd, 0, 0, 0, NULL, 0) < 0)
        failed = -errno;
    if (failed) {
        *error = -failed;
        gossamer_uring_unmap(ring);
        return NULL;
    }
    ring->depth = depth < params.sq_entries ? depth : params.sq_entries;
    return ring;
}

/* Queue a request; it is not begun before gossamer_uring_submit. */
static int gossamer_uring_push(gossamer_uring *ring, uint64_t slot, int opcode, int fd, uintptr_t address,
                               size_t length, int64_t offset)
{
    unsigned tail = *ring->sq_tail;
    if (tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE) > ring->sq_mask)
        return -EAGAIN;
    struct io_uring_sqe *sqe = &ring->sqes[tail & ring->sq_mask];
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = (uint8_t)opcode;
    sqe->fd = fd;
    sqe->addr = address;
    sqe->len = (uint32_t)length;
    sqe->off = (uint64_t)offset;
    sqe->user_data = slot;
    ring->sq_array[tail & ring->sq_mask] = tail & ring->sq_mask;
    __atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
    ring->queued++;
    return 0;
}

/* Begin what is queued; answers how many requests were, and what was not stays queued. */
static int gossamer_uring_submit(gossamer_uring *ring)
{
    if (ring->queued == 0)
        return 0;
    long begun = syscall(SYS_io_uring_enter, ring->fd, ring->queued, 0, 0, NULL, 0);
    if (begun < 0)
        return -errno;
    ring->queued -= (unsigned)begun;
    ring->in_flight += (unsigned)begun;
    return (int)begun;
}

/* Ask for a request to be given up; both answers come by gossamer_uring_reap, that of this one unheard. */
static int gossamer_uring_cancel(gossamer_uring *ring, uint64_t slot)
{
    int failed = gossamer_uring_push(ring, GOSSAMER_NO_SLOT, IORING_OP_ASYNC_CANCEL, -1, (uintptr_t)slot, 0, 0);
    if (failed)
        return failed;
    int begun = gossamer_uring_submit(ring);
    return begun < 0 ? begun : 0;
}

/* Do some of what the kernel left for the reaper. */
static int gossamer_uring_finish_some(const gossamer_uring *ring)
{
    long failed;
    do
        failed = syscall(SYS_io_uring_enter, ring->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
    while (failed < 0 && errno == EINTR);
    return failed < 0 ? -errno : 0;
}

/* Do all that the kernel left for the reaper.
 *
 * The eventfd is written to when a first request is left, and again as it is finished here, which would only wake
 * the reaper once more: so it is switched off. What is left just then is found by a call after it is on again.
 * Bounds: no more requests are finished than are in flight.
 */
static int gossamer_uring_finish(const gossamer_uring *ring)
{
    if (!ring->is_deferred)
        return 0;
    int failed;
    unsigned before, tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    __atomic_store_n(ring->cq_flags, IORING_CQ_EVENTFD_DISABLED, __ATOMIC_RELAXED);
    do {
        before = tail;
        failed = gossamer_uring_finish_some(ring);
        tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    } while (!failed && tail - before >= GOSSAMER_FINISHED_AT_ONCE);
    __atomic_store_n(ring->cq_flags, 0, __ATOMIC_SEQ_CST);
    do {
        before = tail;
        failed = failed ? failed : gossamer_uring_finish_some(ring);
        tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    } while (tail != before);
    return failed;
}

static int gossamer_uring_reap(gossamer_uring *ring, gossamer_aio_done *done, unsigned done_max)
{
    int failed = gossamer_uring_finish(ring);
    if (failed)
        return failed;
    unsigned head = *ring->cq_head, count = 0;
    unsigned tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    while (head != tail && count < done_max) {
        const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
        if (cqe->user_data != GOSSAMER_NO_SLOT) {
            done[count].slot = cqe->user_data;
            done[count].result = cqe->res;
            count++;
        }
        ring->in_flight--;
        head++;
    }
    __atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
    return (int)count;
}

/* Waits until nothing is in flight any more: the kernel writes into no buffer after this. */
static int gossamer_uring_close(gossamer_uring *ring)
{
    int failed = 0;
    gossamer_aio_done done[64];
    while (ring->in_flight > 0 && !failed) {
        int count = gossamer_uring_reap(ring, done, 64);
        if (count > 0)
            continue;
        failed = count;
        if (!failed && ring->in_flight > 0 &&
            syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR)
            failed = -errno;
    }
    gossamer_uring_unmap(ring);
    return failed;
}
