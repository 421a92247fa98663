"""What the supervisor sends to a worker while it runs: values, with descriptors, over a socket of the two.

    GiveLetter  + a link                        give these queues to whoever is at the other end of the link
    TakeLetter  + a link or none, their sockets  take these queues; from there, or as nobody's; with the
                  + checkpoints or none           connections that are left there of one that was killed
    BuffersLetter                               hold no more than this in buffers

Owns the letters and how they go: SOCK_SEQPACKET keeps them whole, and the descriptors with them. A worker
that does not read is not waited for. One that has no room for all descriptors of a letter refuses it: the
others are closed, so whoever has the other end of a link finds that at its end and takes back, and queues
that nobody reads are given again (`shards.supervisor.queuemoves.take_unread`).

Source: unix(7), SCM_RIGHTS.
"""

import os
import socket
from collections.abc import Sequence
from typing import Final

import msgspec

from gossamer.core.errors import GossamerError
from gossamer.shards.letters.rights import DESCRIPTORS_MAX, receive_rights, send_rights

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


class BuffersLetter(msgspec.Struct, frozen=True, tag="buffers"):
    """What its connections may hold in buffers from now on."""

    bytes_max: int


Letter = GiveLetter | TakeLetter | BuffersLetter


class LetterRefusedError(GossamerError):
    """A letter that cannot be read, or whose descriptors have found no room in this process; it has had no
    effect."""


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

    Raises: BlockingIOError when there is none yet; LetterRefusedError.
    """
    message, descriptors, is_cut = receive_rights(
        channel, LETTER_BYTES_MAX, DESCRIPTORS_MAX, socket.MSG_DONTWAIT
    )
    if not message:
        return None
    try:
        letter: Letter = _decoder.decode(message)
        if is_cut:
            raise LetterRefusedError(_refusal(letter))
    except (msgspec.DecodeError, LetterRefusedError) as error:
        for fd in descriptors:
            os.close(fd)
        raise LetterRefusedError(str(error)) from None
    return letter, descriptors


def _refusal(letter: Letter) -> str:
    """Why a letter had no effect, and what that means."""
    queues = () if isinstance(letter, BuffersLetter) else letter.queues
    about = f"queues {', '.join(map(str, queues))}" if queues else "connections"
    what = (
        f"a letter about {about} is refused: no room for its descriptors (EMFILE; server.limit_descriptors)"
    )
    is_last_word = isinstance(letter, TakeLetter) and letter.has_checkpoints
    return f"{what}; connections of a killed worker are lost with it" if is_last_word else what
