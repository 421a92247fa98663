/* accept4: the new socket is non-blocking and closed on exec by the one call.
 *
 * Answers a descriptor or -errno, and decides nothing: accept(2) says which errors are worth another try.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sys/socket.h>

/* The peer's address is written to `name` as far as it fits, as a sockaddr. */
static int gossamer_accept(int fd, unsigned char *name, unsigned name_max)
{
    socklen_t length = name_max;
    int accepted = accept4(fd, (struct sockaddr *)name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted < 0 ? -errno : accepted;
}
