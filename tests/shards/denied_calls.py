"""Every system call of `gossamer serve`, and how the server ends where the kernel refuses it. A table.

Its calls are those of supervisor, workers and iptables under strace(1) on x86-64, while files are served,
warm and cold, and the server is reloaded and stopped: `scripts/denied-calls --trace` looks whether one is
missing. A call that this machine does not have is skipped by the tests.
"""

from enum import StrEnum
from typing import Final, Literal, NamedTuple

Stack = Literal["kernel", "nfqueue"]


class End(StrEnum):
    """How a server ends that is refused a call."""

    SERVES = "serves"
    """It does without."""
    LINE = "one line"
    """Exit code 3 and one line that names the call and the way out."""
    RIGHTS = "serves, or a line on rights"
    """The worker cannot become another user: the line names server.user."""
    NO_PYTHON = "no Python"
    """The loader, Python or a library that is imported fails or complains before ours begins."""


class Row(NamedTuple):
    """One call: how it ends on each stack; on ENOSYS and on EPERM alike, unless that is said."""

    kernel: End
    nfqueue: End
    kernel_eperm: End | None = None
    nfqueue_eperm: End | None = None

    def end(self, errno_name: str, stack: Stack) -> End:
        """How that server ends."""
        both, eperm = (
            (self.kernel, self.kernel_eperm) if stack == "kernel" else (self.nfqueue, self.nfqueue_eperm)
        )
        return eperm if eperm is not None and errno_name == "EPERM" else both


def rows(kernel: End, nfqueue: End, calls: str) -> dict[str, Row]:
    """The same row for several calls."""
    return dict.fromkeys(calls.split(), Row(kernel, nfqueue))


TABLE: Final[dict[str, Row]] = {
    **rows(
        End.SERVES,
        End.SERVES,
        """
        brk close_range connect exit exit_group fadvise64 getpeername getrandom gettid
        io_uring_enter io_uring_register io_uring_setup madvise memfd_create mremap munmap openat2 preadv2
        prlimit64 readlink rseq seccomp
        sched_getaffinity sched_setaffinity set_robust_list set_tid_address sysinfo timerfd_create
        timerfd_settime umask vfork waitid
        """,
    ),
    # What other versions of Python and the C library make, and what is tried where io_uring is refused.
    **rows(
        End.SERVES,
        End.SERVES,
        "faccessat2 io_getevents io_setup io_submit pidfd_open pidfd_send_signal readlinkat statx",
    ),
    **rows(
        End.LINE,
        End.LINE,
        """
        accept4 bind chmod dup2 epoll_create1 epoll_ctl epoll_wait eventfd2 flock ftruncate geteuid getpid
        getppid getsockname getsockopt kill listen mkdirat pipe2 poll recvfrom renameat rt_sigaction
        rt_sigprocmask sendto setpgid setsockopt socket socketpair unlink unlinkat wait4
        """,
    ),
    **rows(End.SERVES, End.LINE, "access clock_nanosleep getuid pselect6 recvmmsg recvmsg sendmmsg sendmsg"),
    **rows(End.LINE, End.SERVES, "sendfile"),
    **rows(End.SERVES, End.SERVES, "getgroups"),
    **rows(End.SERVES, End.RIGHTS, "capget"),
    **rows(End.LINE, End.LINE, "clone"),
    # The C library takes clone where the kernel has no clone3, and gives up where it is forbidden.
    "clone3": Row(End.SERVES, End.SERVES, kernel_eperm=End.LINE, nfqueue_eperm=End.LINE),
    **rows(End.RIGHTS, End.RIGHTS, "capset prctl setgroups setresgid setresuid"),
    # Of `write`, the exit code is all that can be had.
    **rows(
        End.NO_PYTHON,
        End.NO_PYTHON,
        """
        arch_prctl close execve fcntl futex getcwd getdents64 ioctl lseek mmap mprotect newfstatat openat
        pread64 read rt_sigreturn uname write
        """,
    ),
}
