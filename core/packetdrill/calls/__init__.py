"""The socket calls of scripts, one module a family.

    opening     socket bind listen accept connect
    closing     close shutdown
    transfer    read write recv send ... with their flags
    messages    sendmsg recvmsg readv writev
    options     setsockopt getsockopt
    readiness   poll epoll
    control     fcntl ioctl

A handler takes (world, call) and returns a `CallResult`, or a `BlockedCall`. A call compares what it would
write into its arguments with what the script says stands there.
"""

from gossamer.core.packetdrill.calls.table import perform

__all__ = ["perform"]
