/* Files: a stretch of one into memory, and windows into them.
 *
 * A stretch is read as fast as the page cache has it.
 *
 * What was hot when it was put into a send buffer may be cold by now. Then the worker waits for the disk, once: what follows is
 * asked for at the same time.
 */
#define _GNU_SOURCE
#include "packet.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READ_AHEAD_BYTES = 2 << 20 };

static ssize_t read_some(int fd, uint8_t *bytes, size_t length, off_t offset)
{
    const struct iovec into = {bytes, length};
    const ssize_t got = preadv2(fd, &into, 1, offset, RWF_NOWAIT);
    if (got >= 0 || errno == EINTR)
        return got;
    if (errno == EAGAIN)
        (void)posix_fadvise(fd, offset, READ_AHEAD_BYTES, POSIX_FADV_WILLNEED);
    return pread(fd, bytes, length, offset);
}

int64_t file_read(int fd, uint8_t *bytes, uint32_t length, uint64_t offset)
{
    uint32_t done = 0;
    while (done < length) {
        const ssize_t got = read_some(fd, bytes + done, length - done, (off_t)(offset + done));
        if (got == 0)
            break;
        if (got > 0)
            done += (uint32_t)got;
        else if (errno != EINTR)
            return -1;
    }
    return done;
}

uint8_t *window_open(int fd, uint64_t offset, uint32_t length)
{
    void *window = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)offset);
    return window == MAP_FAILED ? NULL : window;
}

void window_close(uint8_t *window, uint32_t length)
{
    if (window)
        munmap(window, length);
}
