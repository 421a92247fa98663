"""The system calls that no worker makes, and that its intruder would: refused to it for good. Pure: a table.

Not a list of what is allowed: a handler may use any library. What stands here needs a right that a worker has
not, or reaches into other processes, or parts of the kernel that had many errors. The rest is bounded by the
user that a worker is.

Source: each call's page in section 2 of the manual; `tests/shards/denied_calls.py` has those that a server
makes.
"""

from typing import Final

OTHER_PROCESSES: Final = (
    "ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp perf_event_open "
    "lookup_dcookie"
)
NAMESPACES: Final = (
    "unshare setns chroot pivot_root mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig "
    "fsmount fspick quotactl quotactl_fd open_by_handle_at swapon swapoff acct"
)
KERNEL: Final = (
    "bpf userfaultfd add_key request_key keyctl init_module finit_module delete_module create_module "
    "query_module kexec_load kexec_file_load reboot syslog vhangup iopl ioperm modify_ldt uselib _sysctl "
    "nfsservctl personality"
)
MACHINE: Final = (
    "settimeofday clock_settime clock_settime64 clock_adjtime clock_adjtime64 adjtimex stime "
    "sethostname setdomainname"
)

REFUSED: Final = tuple(f"{OTHER_PROCESSES} {NAMESPACES} {KERNEL} {MACHINE}".split())
