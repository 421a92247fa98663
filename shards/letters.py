"""What the supervisor sends to a worker while it runs: values, with descriptors, over a socket of the two.

    GiveLetter  + a link                        give these queues to whoever is at the other end of the link
    TakeLetter  + a link or none, their sockets  take these queues; from there, or as nobody's; with the
                  + checkpoints or none           connections that are left there of one that was killed

Owns the letters and how they go: SOCK_SEQPACKET keeps them whole, and the descriptors with them. A worker
that does not read is not waited for.

Source: unix(7), SCM_RIGHTS.
"""

import socket
from collections.abc import Sequence
from typing import Final

import msgspec

from gossamer.shards.rights import DESCRIPTORS_MAX, receive_rights, send_rights

LETTER_BYTES_MAX: Final = 16_384


class GiveLetter(msgspec.Struct, frozen=True, tag="give"):
    """Queues go to another worker, with all that belongs to them."""

    queues: tuple[int, ...]
    is_all: bool
    """Whether the worker is left without any, and ends once nothing is left on it."""


class TakeLetter(msgspec.Struct, frozen=True, tag="take"):
    """Queues come."""

    queues: tuple[int, ...]
    has_link: bool
    """Whether the first descriptor is the link to who has them; else they are nobody's."""
    sockets_of: tuple[int, ...] = ()
    """How many of the others belong to each queue."""
    has_checkpoints: bool = False
    """Whether the last descriptor is the memory of one that was killed, with the connections that belong to
    these queues."""


Letter = GiveLetter | TakeLetter

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Letter)


def send_letter(channel: socket.socket, letter: Letter, descriptors: Sequence[int] = ()) -> bool:
    """Send it; whether it went out."""
    try:
        send_rights(channel, _encoder.encode(letter), descriptors, socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def receive_letter(channel: socket.socket) -> tuple[Letter, list[int]] | None:
    """The next letter, and its descriptors; None when none comes any more.

    Raises: BlockingIOError when there is none yet.
    """
    message, descriptors, _ = receive_rights(channel, LETTER_BYTES_MAX, DESCRIPTORS_MAX, socket.MSG_DONTWAIT)
    return (_decoder.decode(message), descriptors) if message else None
