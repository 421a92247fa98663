/* A system call by its name, for whoever asks whether the kernel or a sandbox refuses it.
 *
 * Owns the numbers of the calls that are asked about. Source: syscall(2).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The calls that a server tries at its start. Those under #ifdef are of some machines; elsewhere the C library takes the
 * one that ends with "at", or a newer one. */
static const struct {
    const char *name;
    long number;
} gossamer_calls[] = {
#define CALL(name) {#name, SYS_##name}
    CALL(accept4), CALL(bind), CALL(clock_nanosleep), CALL(dup3), CALL(epoll_create1), CALL(epoll_ctl),
    CALL(epoll_pwait), CALL(eventfd2), CALL(faccessat), CALL(fchmodat), CALL(flock), CALL(ftruncate), CALL(geteuid),
    CALL(getpid), CALL(getppid), CALL(getsockname), CALL(getsockopt), CALL(getuid), CALL(kill), CALL(listen),
    CALL(lseek), CALL(mkdirat), CALL(pipe2), CALL(ppoll), CALL(pselect6), CALL(recvfrom), CALL(recvmmsg),
    CALL(recvmsg), CALL(renameat2), CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(sendfile), CALL(sendmmsg),
    CALL(sendmsg), CALL(sendto), CALL(setpgid), CALL(setsockopt), CALL(socket), CALL(socketpair), CALL(unlinkat),
    CALL(wait4), CALL(write),
#ifdef SYS_renameat
    CALL(renameat),
#endif
#ifdef SYS_chmod
    CALL(access), CALL(chmod), CALL(dup2), CALL(epoll_wait), CALL(mkdir), CALL(poll), CALL(rename), CALL(unlink),
#endif
#undef CALL
};

/* The number of a system call of this machine; -1 for one that it does not have, or that is not tried here. */
static long gossamer_call_number(const char *name)
{
    for (size_t i = 0; i < sizeof gossamer_calls / sizeof *gossamer_calls; i++)
        if (!strcmp(gossamer_calls[i].name, name))
            return gossamer_calls[i].number;
    return -1;
}

/* What a system call answers: its result, or a negative errno. */
static long gossamer_call(long number, long first, long second, long third, long fourth)
{
    const long result = syscall(number, first, second, third, fourth, 0L, 0L);
    return result < 0 ? -errno : result;
}
