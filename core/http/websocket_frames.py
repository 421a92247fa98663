"""A message that comes and leaves as one frame, as nearly all do: read and written at one look. Pure.

Owns that look. What it does not take at once (fragments, control frames, compression, half a frame, any
breach) is None here, and for the general reader of `core.http.websocket`; whatever both take, both take
alike.

Source: RFC 6455 5.2.
"""

from collections.abc import Callable
from typing import Final

try:
    from websockets.speedups import apply_mask as _apply_mask
except ImportError:  # the package without its part in C
    from websockets.utils import apply_mask as _apply_mask

TEXT: Final = 0x81
"""The first octet of a whole message of text: FIN, no reserved bit, opcode 1."""
BINARY: Final = 0x82
MASKED: Final = 0x80
"""RFC 6455 5.1: "a client MUST mask all frames that it sends to the server"; in the second octet, beside the
length."""
SHORT_MAX: Final = 125
LENGTH_16: Final = 126
"""The length stands in the next two octets."""
LENGTH_64: Final = 127
"""In the next eight."""
BYTES_MAX_16: Final = 0xFFFF
HEADER_BYTES: Final = 2
KEY_BYTES: Final = 4

SHORT_HEADS: Final = {
    first: [bytes((first, length)) for length in range(SHORT_MAX + 1)] for first in (TEXT, BINARY)
}
"""Of the messages of a server whose length stands in the second octet."""

unmasked: Final[Callable[[bytes, bytes], bytes]] = _apply_mask


def whole_frame(data: bytes, at: int, payload_bytes_max: int) -> tuple[int, bytes, int] | None:
    """The frame that begins at `at`, where it is a whole message, all of it is here, and it is no longer than
    that: its first octet, its payload, and where it ends."""
    key_at = at + HEADER_BYTES
    if len(data) < key_at:
        return None
    first, length = data[at], data[at + 1] - MASKED
    if (first != TEXT and first != BINARY) or length < 0:
        return None
    if length > SHORT_MAX:
        if length == LENGTH_64:
            return None
        length = int.from_bytes(data[key_at : key_at + 2])
        key_at += 2
    begin = key_at + KEY_BYTES
    end = begin + length
    if end > len(data) or length > payload_bytes_max:
        return None
    return first, unmasked(data[begin:end], data[key_at:begin]), end


def framed(first: int, payload: bytes) -> bytes:
    """A message of a server's as one frame."""
    length = len(payload)
    if length <= SHORT_MAX:
        return SHORT_HEADS[first][length] + payload
    if length <= BYTES_MAX_16:
        return b"%c%c%b%b" % (first, LENGTH_16, length.to_bytes(2), payload)
    return b"%c%c%b%b" % (first, LENGTH_64, length.to_bytes(8), payload)
