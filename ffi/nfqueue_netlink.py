"""Packets from NFQUEUE over our own netlink code: one system call receives a batch, one more decides it.

Owns the configuration of a queue (done by whoever holds CAP_NET_ADMIN in the network namespace) and the
receiver on the bound descriptor, which may have been inherited: the queue lives as long as any process holds
the socket. Verdicts need CAP_NET_ADMIN too. It must never know what the packets mean.

Source: linux/netfilter/nfnetlink_queue.h, linux/netlink.h; netlink(7).
"""

import errno
import os
import socket
import struct
from typing import Final

from gossamer.ffi._packet import ffi, lib
from gossamer.ffi.packets import ReceiveMemory
from gossamer.ffi.socketbuffers import enlarge_receive_buffer

QUEUE_MAXLEN: Final = 8192
"""Packets that wait in the kernel before it drops; the supervisor's default."""
RECEIVE_BUFFER_BYTES: Final = 8 << 20
"""Room of the socket: what overruns it is dropped, and counted in /proc/net/netfilter/nfnetlink_queue."""
COPY_RANGE_BYTES: Final = 65531
"""The longest payload there is: with its own header it fills the 16-bit length of a netlink attribute."""
SLOTS: Final = 64
"""Packets a batch."""
SLOT_BYTES: Final = 66_880
"""COPY_RANGE_BYTES and over 1,300 bytes for headers; an odd multiple of 64, or all slots would share a few
cache lines' sets.
"""

NETLINK_NETFILTER: Final = 12
SOL_NETLINK: Final = 270
NETLINK_NO_ENOBUFS: Final = 5

NLMSG_ERROR: Final = 2
NLM_F_REQUEST: Final = 1
NLM_F_ACK: Final = 4
MSG_CONFIG: Final = 3 << 8 | 2
"""NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG."""
CFG_CMD: Final = 1
CFG_PARAMS: Final = 2
CFG_QUEUE_MAXLEN: Final = 3
CFG_MASK: Final = 4
CFG_FLAGS: Final = 5
CMD_BIND: Final = 1
CMD_PF_BIND: Final = 3
"""Obsolete: a kernel of today takes it and does nothing."""
COPY_PACKET: Final = 2
FLAG_FAIL_OPEN: Final = 1
FLAG_GSO: Final = 4
"""Aggregates come whole, up to 64 KB, instead of cut into packets; their checksum may be not ready."""

ACKNOWLEDGE_TIMEOUT_S: Final = 5.0
QUEUES_IN_USE: Final = "/proc/thread-self/net/netfilter/nfnetlink_queue"


_HEADER = struct.Struct("=IHHIIBB2s")
_ERROR = struct.Struct("=IHHIIi")
_ATTRIBUTE = struct.Struct("=HH")


def _attribute(kind: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + padding


def _message(queue_number: int, attributes: bytes) -> bytes:
    flags = NLM_F_REQUEST | NLM_F_ACK
    queue = queue_number.to_bytes(2, "big")
    return _HEADER.pack(_HEADER.size + len(attributes), MSG_CONFIG, flags, 0, 0, 0, 0, queue) + attributes


def _configuration(queue_number: int, maxlen: int) -> bytes:
    """One message that binds the queue and sets all of it: no packet meets a half-configured queue."""
    attributes = b"".join(
        (
            _attribute(CFG_CMD, struct.pack("!BxH", CMD_BIND, 0)),
            _attribute(CFG_PARAMS, struct.pack("!IB", COPY_RANGE_BYTES, COPY_PACKET)),
            _attribute(CFG_QUEUE_MAXLEN, struct.pack("!I", maxlen)),
            # Fail-open is switched off by name: a full queue must drop, not hand our packets to the kernel's
            # TCP.
            _attribute(CFG_MASK, struct.pack("!I", FLAG_GSO | FLAG_FAIL_OPEN)),
            _attribute(CFG_FLAGS, struct.pack("!I", FLAG_GSO)),
        )
    )
    return _message(queue_number, attributes)


def _read_acknowledgement(netlink: socket.socket) -> int:
    """The errno in the kernel's answer, 0 for success. Raises: TimeoutError, OSError.

    A packet may come first, when the firewall already diverts to this queue. It is left undecided: the first
    verdict of the receiver covers all ids before its own, and the peer sends again.
    """
    while True:
        answer = netlink.recv(COPY_RANGE_BYTES)
        if len(answer) >= _ERROR.size:
            _, kind, _, _, _, code = _ERROR.unpack_from(answer)
            if kind == NLMSG_ERROR:
                return -int(code)


def _is_taken(queue_number: int) -> bool:
    """Whether some socket holds the queue. Where only root may read the list, and queues may be configured,
    it is."""
    try:
        with open(QUEUES_IN_USE) as lines:
            return any(int(line.split()[0]) == queue_number for line in lines)
    except PermissionError:
        return _may_configure()
    except OSError:
        return False


def _may_configure() -> bool:
    try:
        try_nfqueue()
    except OSError:
        return False
    return True


def _refusal(code: int, queue_number: int) -> OSError:
    """The kernel says EPERM for another's queue and for a missing capability alike: find out which it is."""
    if code in (errno.EPERM, errno.EBUSY) and _is_taken(queue_number):
        return OSError(errno.EBUSY, f"NFQUEUE queue {queue_number} is taken by another socket")
    if code == errno.EPERM:
        return PermissionError(code, f"binding NFQUEUE queue {queue_number} needs CAP_NET_ADMIN")
    return OSError(code, f"NFQUEUE queue {queue_number}: {os.strerror(code)}")


def try_nfqueue() -> None:
    """Ask the kernel whether this process may configure queues here, by a command that changes nothing.

    Raises: PermissionError without CAP_NET_ADMIN over this network namespace; OSError where the kernel has no
    NFQUEUE.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.bind((0, 0))
        netlink.settimeout(ACKNOWLEDGE_TIMEOUT_S)
        netlink.send(_message(0, _attribute(CFG_CMD, struct.pack("!BxH", CMD_PF_BIND, socket.AF_INET))))
        code = _read_acknowledgement(netlink)
    if code:
        raise OSError(code, os.strerror(code))


def _enlarge(netlink: socket.socket, receive_buffer_bytes: int) -> None:
    enlarge_receive_buffer(netlink, receive_buffer_bytes)
    netlink.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)


def open_queue(
    queue_number: int, maxlen: int = QUEUE_MAXLEN, receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES
) -> socket.socket:
    """A netlink socket, non-blocking, bound to the queue, which exists from now until the last copy of it is
    closed.

    Raises: PermissionError without CAP_NET_ADMIN; OSError(EBUSY) when the queue is taken; other OSErrors of
    the kernel.
    """
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    try:
        netlink.bind((0, 0))
        netlink.settimeout(ACKNOWLEDGE_TIMEOUT_S)
        netlink.send(_configuration(queue_number, maxlen))
        code = _read_acknowledgement(netlink)
        if code:
            raise _refusal(code, queue_number)
        _enlarge(netlink, receive_buffer_bytes)
        netlink.setblocking(False)
    except BaseException:
        netlink.close()
        raise
    return netlink


class NetlinkSource:
    """A PacketSource on a descriptor from `open_queue`; closing it leaves the descriptor, and so the queue,
    alone.

    The kernel goes on with packets to `accepted_port`, and drops all others: 0 is none. Whoever names a port
    holds a socket there that drops all in silence (`ffi.silence`), or the kernel's TCP answers as well.
    """

    def __init__(
        self, fd: int, slots: int = SLOTS, accepted_port: int = 0, memory: ReceiveMemory | None = None
    ) -> None:
        """Sources that one thread reads in turn may share a `memory`, which outlives them."""
        self.fd = fd
        self._is_memory_ours = memory is None
        self._memory = memory = ReceiveMemory(slots, SLOT_BYTES) if memory is None else memory
        self.arena = memory.arena
        self.records = memory.records
        self.side = memory.side
        self._receiver = lib.receiver_new(
            fd,
            memory.c_arena,
            memory.slot_bytes,
            memory.slots,
            memory.c_records,
            memory.c_side,
            accepted_port,
        )
        if self._receiver == ffi.NULL:
            raise MemoryError("no memory for the packet receiver")
        self._recv = lib.receiver_recv

    def recv_batch(self) -> int:
        """See PacketSource.

        Raises: OSError, as for a verdict without CAP_NET_ADMIN (EPERM); the kernel reports it with the batch
        after it.
        """
        count = self._recv(self._receiver)
        if count < 0:
            raise OSError(-count, f"NFQUEUE netlink socket: {os.strerror(-count)}")
        return count

    def close(self) -> None:
        """Free the arena. Closing twice is harmless."""
        if self._receiver != ffi.NULL:
            lib.receiver_free(self._receiver)
            self._receiver = ffi.NULL
            if self._is_memory_ours:
                self._memory.close()
