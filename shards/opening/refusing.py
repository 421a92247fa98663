"""A listening socket that refuses what is new, while what is in its queues can still be accepted.

Owns how the kernel is brought to do so. Closing resets all that is in the queues, and so does shutdown(2): a
client whose request is on its way is cut off. Instead the socket is bound to an interface that does not
exist. The kernel looks up a listener only for a SYN, and no SYN finds this one any more: the kernel answers
with a RST. Handshakes that have begun stand in a table of their own and come to their end.

All sockets of a SO_REUSEPORT group refuse, or none does: the kernel picks among all of them as soon as it has
found one. So whoever holds them all has them refuse, before any of them is closed.

Source: socket(7), SO_BINDTODEVICE and SO_ATTACH_FILTER; linux/net/core/sock.c, sock_bindtoindex (Linux 5.0;
from 5.7 on without CAP_NET_RAW); linux/net/ipv4/inet_hashtables.c, inet_lhash2_lookup.
"""

import ctypes
import logging
import socket
import struct
from typing import Final

log = logging.getLogger("gossamer.listening")

SO_BINDTOIFINDEX: Final = 62
SO_ATTACH_FILTER: Final = 26
"""Both from asm-generic/socket.h; the socket module lacks them."""

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
    program = ctypes.create_string_buffer(NO_SYN, len(NO_SYN))
    # struct sock_fprog: how many instructions, and where they stand.
    head = struct.pack("@HP", len(NO_SYN) // INSTRUCTION.size, ctypes.addressof(program))
    listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)
