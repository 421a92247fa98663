"""What supervisor, keeper and the next supervisor say to each other, over sockets that keep messages whole.

    supervisor -> keeper    Keep + a descriptor, Forget, ServerNote, Await, ServerEnding, Farewell
    claimant   -> keeper    Claim
    keeper     -> claimant  Keep + a descriptor for each, the last ServerNote, Complete; or Refuse

Owns the messages and how they go. Both ends have the same rights and stand in a folder of one user; yet they
may be of two versions, so the keeper reads nothing of what a supervisor notes for its successor.

Source: unix(7), SCM_RIGHTS.
"""

import os
import socket
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from gossamer.shards.letters.rights import receive_rights, send_rights

NOTE_BYTES_MAX: Final = 1 << 20
NAME_BYTES_MAX: Final = 64
WORKERS_MAX: Final = 4096

Name = Annotated[str, Meta(min_length=1, max_length=NAME_BYTES_MAX)]
ProcessName = tuple[int, int]
"""A process as `shards.machine.procfs.ProcessIdentity` names it: pid, and its start in ticks."""


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """A descriptor to hold, which comes with it."""

    name: Name


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """It is needed no more."""

    name: Name


class ServerNote(msgspec.Struct, frozen=True, tag="note"):
    """What is so by now, in place of the note before."""

    run_dir: bytes
    """Its path: octets are allowed that are no UTF-8."""
    workers: Annotated[tuple[ProcessName, ...], Meta(max_length=WORKERS_MAX)]
    graceful_us: int
    """How long workers have to come to their end."""
    has_rules: bool
    content: bytes
    """For the next supervisor alone (`shards.keeper.succession`)."""


class Await(msgspec.Struct, frozen=True, tag="await"):
    """The supervisor is about to be another program: nobody is to be told before that it is gone."""

    wait_us: int


class ServerEnding(msgspec.Struct, frozen=True, tag="ending"):
    """The server ends: nobody takes over from its workers."""


class Farewell(msgspec.Struct, frozen=True, tag="farewell"):
    """It has ended, and given everything back."""


class Claim(msgspec.Struct, frozen=True, tag="claim"):
    """Asks for all that is held."""

    is_adoption: bool
    """Whether who asks is the supervisor from now on; else it only looks."""


class Complete(msgspec.Struct, frozen=True, tag="complete"):
    """That was all."""


class Refuse(msgspec.Struct, frozen=True, tag="refuse"):
    """Nothing is given."""

    why: str


Said = Keep | Forget | ServerNote | Await | ServerEnding | Farewell | Claim | Complete | Refuse

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Said)


class UnheardError(Exception):
    """What came is no message of these."""


def say(channel: socket.socket, said: Said, fd: int | None = None, flags: int = 0) -> None:
    """Send it. Raises: OSError."""
    send_rights(channel, _encoder.encode(said), () if fd is None else (fd,), flags)


def hear(channel: socket.socket) -> tuple[Said, int | None] | None:
    """The next message, and the descriptor that came with it; None when none comes any more.

    Raises: OSError, UnheardError.
    """
    octets, fds, _ = receive_rights(channel, NOTE_BYTES_MAX, 1)
    if not octets:
        return None
    fd = fds[0] if fds else None
    try:
        said = _decoder.decode(octets)
    except msgspec.DecodeError as error:
        if fd is not None:
            os.close(fd)
        raise UnheardError(str(error)) from error
    return said, fd
