"""What is still to be sent on a connection of the static site, as a value: another process goes on with it.

    parts, in order:  octets | a range of the file | ...
    then:             what was read beyond the request is answered, or the connection ends

Owns the value and its octets. Files are found by their names and identities: `shards.web.file_names`.
"""

import msgspec

from gossamer.core.loop.continuing import CannotGoOnError, NamedFile
from gossamer.shards.web.answer import Part
from gossamer.shards.web.streaming import Noted


class UnfinishedAnswer(msgspec.Struct, frozen=True, array_like=True):
    """An answer of which a part has gone."""

    file: NamedFile
    parts: tuple[Part, ...]
    """What is left of head and body, but for what stands in the send buffer."""
    keep_alive: bool
    """Whether another request is answered behind it."""
    unread: bytes
    """What was read of the connection and belongs to no request that was answered."""
    noted: Noted


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(UnfinishedAnswer)


def octets_of(unfinished: UnfinishedAnswer) -> bytes:
    """The value as octets."""
    return _encoder.encode(unfinished)


def unfinished_of(octets: bytes) -> UnfinishedAnswer:
    """The value again. Raises: CannotGoOnError."""
    try:
        return _decoder.decode(octets)
    except msgspec.DecodeError as error:
        raise CannotGoOnError(f"what is unfinished cannot be read: {error}") from error
