"""The bounds of what a peer may send before a message is refused, named in one place.

Owns the numbers only; whoever refuses names the status.
Source: RFC 9110 15.5.15 (414), RFC 6585 5 (431), RFC 9110 15.5.14 (413).
"""

import msgspec


class MessageLimits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one HTTP message may weigh.

    Units: bytes, except headers_max.
    """

    request_line_bytes_max: int = 8192
    """Method, target and version together; a longer line is 414."""
    head_bytes_max: int = 32768
    """The whole head; a longer one is 431."""
    headers_max: int = 100
    """Header fields in a head; more is 431."""
    body_bytes_max: int = 1 << 40
    """A body, after the chunked coding is removed; a longer one is 413."""
    chunk_line_bytes_max: int = 256
    """A chunk's size with its extensions; a longer one is 400."""
    trailer_bytes_max: int = 8192
    """The trailer section of a chunked body; a longer one is 431."""


DEFAULT_LIMITS = MessageLimits()
