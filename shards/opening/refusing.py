"""A listening socket that refuses what is new, while what is in its queues can still be accepted.

Owns how the kernel is brought to do so. Closing resets all that is in the queues, and so does shutdown(2): a
client whose request is on its way is cut off. Instead the socket is bound to an interface that does not
exist. The kernel looks up a listener only for a SYN, and no SYN finds this one any more: the kernel answers
with a RST. Handshakes that have begun stand in a table of their own and come to their end.

All sockets of a SO_REUSEPORT group refuse, or none does: the kernel picks among all of them as soon as it has
found one, and drops a SYN that it gives to one that refuses. So whoever holds them all has them refuse,
before any of them is closed. Where one alone is to end, the group has a filter that names one of the others.

Source: socket(7), SO_BINDTODEVICE, SO_ATTACH_FILTER and SO_ATTACH_REUSEPORT_CBPF; linux/net/core/sock.c,
sock_bindtoindex (Linux 5.0; from 5.7 on without CAP_NET_RAW); linux/net/ipv4/inet_hashtables.c,
inet_lhash2_lookup; linux/net/core/sock_reuseport.c, reuseport_select_sock.
"""

import ctypes
import logging
import socket
import struct
from collections.abc import Sequence
from typing import Final

log = logging.getLogger("gossamer.listening")

SO_BINDTOIFINDEX: Final = 62
SO_ATTACH_FILTER: Final = 26
SO_ATTACH_REUSEPORT_CBPF: Final = 51
SO_DETACH_REUSEPORT_BPF: Final = 68
"""All from asm-generic/socket.h; the socket module lacks them."""

NO_INTERFACE: Final = (1 << 31) - 1
"""Index of an interface that no machine has: they are numbered from 1."""

INSTRUCTION: Final = struct.Struct("=HBBI")
"""struct sock_filter of linux/filter.h: code, instructions to skip if so, and if not so, a number."""
LOAD_BYTE, JUMP_IF_BITS, RETURN = 0x30, 0x45, 0x06
FLAGS_AT: Final = 13
"""Of the TCP header, where a filter of a TCP socket begins to read."""
SYN: Final = 0x02
ALL: Final = 0xFFFFFFFF

NO_SYN: Final = b"".join(
    (
        INSTRUCTION.pack(LOAD_BYTE, 0, 0, FLAGS_AT),
        INSTRUCTION.pack(JUMP_IF_BITS, 0, 1, SYN),
        INSTRUCTION.pack(RETURN, 0, 0, 0),
        INSTRUCTION.pack(RETURN, 0, 0, ALL),
    )
)


LOAD_WORD, MODULO, RETURN_FOUND = 0x20, 0x94, 0x16
RANDOM: Final = 0xFFFFF000 + 56
"""SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h: a number drawn anew, since a packet may have no hash."""


def leave_to_others(listening: socket.socket, others: Sequence[socket.socket]) -> None:
    """Have what is new come to the others of its group, of which it was the last to listen, from now on.

    Where a sandbox refuses that, some SYNs are dropped until it is closed, which is logged.
    """
    try:
        name_the_first(others[0], len(others))
    except OSError as error:
        log.warning(
            "until a worker has ended some who connect wait for a second and more: "
            "SO_ATTACH_REUSEPORT_CBPF: %s",
            error.strerror,
        )
        refuse_new(listening)


def name_the_first(listening: socket.socket, count: int) -> None:
    """Have whatever is new for a SO_REUSEPORT group come to one of the first `count` that listened in it.
    Raises: OSError."""
    program = b"".join(
        (
            INSTRUCTION.pack(LOAD_WORD, 0, 0, RANDOM),
            INSTRUCTION.pack(MODULO, 0, 0, count),
            INSTRUCTION.pack(RETURN_FOUND, 0, 0, 0),
        )
    )
    _attach(listening, SO_ATTACH_REUSEPORT_CBPF, program)


def name_all(listening: socket.socket) -> None:
    """Have it come to any of them again. Raises: OSError where there is no filter."""
    listening.setsockopt(socket.SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)


def refuse_new(listening: socket.socket) -> None:
    """Have a socket refuse new connections from now on; asking twice changes nothing.

    Where the kernel is too old for that, their SYNs are dropped: a client hears that it is refused when it
    asks again, after the socket is closed. Where a sandbox refuses both, that is logged: whoever connects
    then is reset at the end.
    """
    try:
        # Only CAP_NET_RAW may bind it a second time.
        if listening.getsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX) != NO_INTERFACE:
            listening.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, NO_INTERFACE)
    except OSError as refusal:
        try:
            drop_new(listening)
        except OSError as error:
            log.warning(
                "the listening socket goes on to listen until it is closed: SO_BINDTOIFINDEX: %s; "
                "SO_ATTACH_FILTER: %s",
                refusal.strerror,
                error.strerror,
            )


def drop_new(listening: socket.socket) -> None:
    """Have a socket drop SYNs, and nothing else, from now on. Raises: OSError."""
    _attach(listening, SO_ATTACH_FILTER, NO_SYN)


def _attach(listening: socket.socket, option: int, instructions: bytes) -> None:
    program = ctypes.create_string_buffer(instructions, len(instructions))
    # struct sock_fprog: how many instructions, and where they stand.
    head = struct.pack("@HP", len(instructions) // INSTRUCTION.size, ctypes.addressof(program))
    listening.setsockopt(socket.SOL_SOCKET, option, head)
