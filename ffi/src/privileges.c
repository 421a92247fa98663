/* prctl(2), capget(2), capset(2). They return 0 or a negative errno, so that no errno is lost on the way to Python, and
 * concern the calling thread alone: change it before another one is started. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/capability.h>
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
