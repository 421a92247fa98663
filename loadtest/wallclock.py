"""A wall clock that can be set, for the processes that are started with it; the machine's own stays as it is.

No namespace has a wall clock of its own, and to set the machine's would be met by all that runs on it. So a
library that stands in front of the C library's adds to what the calendar's clock says, and leaves the
monotonic one alone. How much stands in a file that each process maps as it starts: it may change at any time,
and a process that may open nothing any more sees it too. Needs a C compiler.

Owns that library, compiled where it is wanted. What asks the kernel itself, past the C library, is not moved.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none, *ahead_s = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("GOSSAMER_WALL_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *found = mmap(NULL, sizeof *ahead_s, PROT_READ, MAP_SHARED, fd, 0);
    if (found != MAP_FAILED)
        ahead_s = found;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*theirs)(clockid_t, struct timespec *);
    if (!theirs)
        theirs = dlsym(RTLD_NEXT, "clock_gettime");
    int result = theirs(clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += *ahead_s;
    return result;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
"""


def missing_compiler() -> str | None:
    """Why there can be no such clock here, in one line; None when there can."""
    return None if shutil.which("cc") else "needs the command cc (Debian package gcc)"


class WallClock:
    """A clock in a folder that all who are to have it may read."""

    def __init__(self, folder: Path) -> None:
        """Raises: CalledProcessError when it cannot be compiled."""
        library, self._file = folder / "wallclock.so", folder / "wallclock"
        argv = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), "-xc", "-", "-ldl"]
        subprocess.run(argv, input=SOURCE.encode(), check=True, capture_output=True)
        self._file.touch(0o644)
        self.set_ahead(0)
        self.environment = {"LD_PRELOAD": str(library), "GOSSAMER_WALL_CLOCK": str(self._file)}
        """With which a process is started that is to have it."""

    def set_ahead(self, seconds: int) -> None:
        """Set it so far ahead of the machine's, for all at once."""
        fd = os.open(self._file, os.O_WRONLY)
        try:
            os.pwrite(fd, seconds.to_bytes(8, "little", signed=True), 0)
        finally:
            os.close(fd)
