/* openat2, by system call: the C library has no function for it.
 *
 * Answers a descriptor or -errno, and decides nothing.
 *
 * Source: openat2(2), linux/openat2.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Headers of a system may be older than its kernel. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* linux/openat2.h, struct open_how. */
struct gossamer_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

static int gossamer_openat2(int directory_fd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct gossamer_open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    long fd = syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}
