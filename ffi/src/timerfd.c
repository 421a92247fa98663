/* A timer that is a descriptor: it counts nanoseconds, where epoll_wait counts milliseconds.
 *
 * Owns the two calls. Source: timerfd_create(2).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>

/* A new timer of CLOCK_MONOTONIC, or a negative errno. */
static int gossamer_timerfd_create(void)
{
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Have the timer become readable at a time of the clock, instead of what it was set to; 0, or a negative errno. */
static int gossamer_timerfd_set(int fd, int64_t at_us)
{
    const struct itimerspec at = {.it_value = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000}};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) < 0 ? -errno : 0;
}
