"""Packets from NFQUEUE through the NetfilterQueue package, behind the same protocol as our own netlink code.

Owns the only import of that package. Each packet takes one receive, one callback and one verdict, and at most
COPY_MAX_BYTES of it are copied, so a server on it must advertise an MSS of about 3,960 at most; a longer
packet is dropped as TRUNCATED. The package needs a socket of its own, which is closed with the source: the
queue does not outlive the worker, and binding it needs CAP_NET_ADMIN.

Source: NetfilterQueue 1.1.
"""

import errno
import os
import socket
import struct
from typing import Final, cast

import netfilterqueue

from gossamer.ffi._packet import ffi, lib
from gossamer.ffi.nfqueue_netlink import (
    NETLINK_NETFILTER,
    NETLINK_NO_ENOBUFS,
    NLMSG_ERROR,
    QUEUE_MAXLEN,
    RECEIVE_BUFFER_BYTES,
    SLOTS,
    SOL_NETLINK,
)
from gossamer.ffi.packets import ReceiveMemory

COPY_MAX_BYTES: Final = 4016
"""What the package asks the kernel to copy of a packet, at most."""
SLOT_BYTES: Final = 4160
"""COPY_MAX_BYTES and room to spare; an odd multiple of 64."""

MESSAGE_BYTES: Final = 8192
"""Room for any message; the package asks for 4,096 bytes, which some packets with all their attributes
exceed, and a message cut short would leave its packet undecided."""

_ERROR = struct.Struct("=IHHIIi")


class _BoundedReader:
    """The socket as the package's run_socket sees it: dry after a batch, and loud about an error of a
    verdict.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.packets_left = 0

    def recv(self, _bytes_max: int) -> bytes:
        """The next message. Raises: BlockingIOError when the batch is full or nothing waits; OSError for a
        refused verdict.
        """
        if not self.packets_left:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.packets_left -= 1
        message = os.read(self.fd, MESSAGE_BYTES)
        _raise_error(message)
        return message


def _raise_error(message: bytes) -> None:
    """ENOENT only says that the packet was gone already (its device went down)."""
    if len(message) >= _ERROR.size:
        _, kind, _, _, _, code = _ERROR.unpack_from(message)
        if kind == NLMSG_ERROR and code not in (0, -errno.ENOENT):
            raise OSError(-code, f"NFQUEUE netlink socket: {os.strerror(-code)}")


def _is_truncated(payload: bytes) -> bool:
    """Whether the packet was longer than what was copied of it, as far as its header shows."""
    if len(payload) < COPY_MAX_BYTES:
        return False
    if payload[0] >> 4 == 4:
        return int.from_bytes(payload[2:4], "big") > len(payload)
    return int.from_bytes(payload[4:6], "big") + 40 > len(payload)


def _quiet_overruns(fd: int) -> None:
    """What overran the socket's room is counted by the kernel; the package would only loop over ENOBUFS."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER, fileno=os.dup(fd)) as netlink:
        netlink.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
        netlink.setblocking(False)


class NetfilterQueueSource:
    """A PacketSource that binds the queue itself; `accepted_port` is that of `NetlinkSource`.

    Raises: OSError when the queue is taken or CAP_NET_ADMIN is missing; the package does not say which.
    """

    def __init__(
        self,
        queue_number: int,
        maxlen: int = QUEUE_MAXLEN,
        receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES,
        accepted_port: int = 0,
    ) -> None:
        self._accepted_port = socket.htons(accepted_port)
        self._queue = netfilterqueue.NetfilterQueue()
        self._queue.bind(queue_number, self._take, max_len=maxlen, sock_len=receive_buffer_bytes)
        self.fd = self._queue.get_fd()
        os.set_inheritable(self.fd, False)  # the library of the package leaves it to every child
        _quiet_overruns(self.fd)
        self._reader = _BoundedReader(self.fd)
        self._memory = ReceiveMemory(SLOTS, SLOT_BYTES)
        self.arena = self._memory.arena
        self.records = self._memory.records
        self.side = self._memory.side
        self._joiner = lib.joiner_new(
            self._memory.c_arena, SLOT_BYTES, self._memory.c_records, self._memory.c_side
        )
        if self._joiner == ffi.NULL:
            raise MemoryError("no memory for the packet receiver")
        self._count = 0

    def _take(self, packet: netfilterqueue.Packet) -> None:
        payload = packet.get_payload()
        memory, index = self._memory, self._count
        offset = index * SLOT_BYTES
        memory.arena[offset : offset + len(payload)] = payload
        notes = lib.PACKET_TRUNCATED if _is_truncated(payload) else 0
        lib.packet_parse(
            memory.c_arena, offset, len(payload), notes, memory.c_records + index, memory.c_side + index
        )
        if lib.packet_is_accepted(memory.c_records + index, self._accepted_port):
            packet.accept()
        else:
            packet.drop()
        if not lib.joiner_take(self._joiner, index):
            self._count = index + 1

    def recv_batch(self) -> int:
        """See PacketSource."""
        self._count = 0
        lib.joiner_begin(self._joiner)
        self._reader.packets_left = SLOTS
        # Of a socket, run_socket calls nothing but recv.
        self._queue.run_socket(cast(socket.socket, self._reader))
        return self._count

    def close(self) -> None:
        """Unbind the queue, close its socket, free the arena. Closing twice is harmless."""
        if self.fd >= 0:
            self.fd = -1
            self._queue.unbind()
            del self._queue  # the last reference: this closes the socket
            lib.joiner_free(self._joiner)
            self._memory.close()
