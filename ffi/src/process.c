/* prctl(2), capget(2), capset(2), mallopt(3), and a system call by its name. All but mallopt return 0 or a negative errno,
 * so that no errno is lost on the way to Python, and concern the calling thread alone: change it before another one is
 * started. */

#include <errno.h>
#include <linux/capability.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int gossamer_prctl(int option, unsigned long argument)
{
    return prctl(option, argument, 0UL, 0UL, 0UL) < 0 ? -errno : 0;
}

/* Effective and permitted become exactly `mask`; inheritable becomes empty. */
static int gossamer_set_capabilities(uint64_t mask)
{
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    memset(&header, 0, sizeof header);
    memset(data, 0, sizeof data);
    header.version = _LINUX_CAPABILITY_VERSION_3;
    data[0].effective = data[0].permitted = (uint32_t)mask;
    data[1].effective = data[1].permitted = (uint32_t)(mask >> 32);
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* Fills `masks` with the effective and the permitted capabilities. */
static int gossamer_get_capabilities(uint64_t *masks)
{
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    memset(&header, 0, sizeof header);
    header.version = _LINUX_CAPABILITY_VERSION_3;
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    masks[0] = data[0].effective | (uint64_t)data[1].effective << 32;
    masks[1] = data[0].permitted | (uint64_t)data[1].permitted << 32;
    return 0;
}

/* mallopt(3): memory that was freed stays with the process up to `kept` bytes, and blocks below `mapped` bytes come
 * from the heap instead of a mapping of their own. Returns 1, or 0 where the C library has no such thing. */
static int gossamer_keep_memory(int kept, int mapped)
{
#ifdef __GLIBC__
    return mallopt(M_TRIM_THRESHOLD, kept) && mallopt(M_MMAP_THRESHOLD, mapped);
#else
    (void)kept;
    (void)mapped;
    return 0;
#endif
}

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
