"""Byte ranges: the Range field against a length, and what answers it.

Owns RFC 9110 14. Several ranges are served as multipart/byteranges when that is cheaper than the whole;
overlapping or numerous ones (a range bomb) get the whole file, which is always a right answer. It knows no
file.
"""

import re
from typing import Final

import msgspec

RANGES_MAX: Final = 64
"""More ranges than that in one request: the whole file."""
RANGE_FIELD_BYTES_MAX: Final = 4096
"""It bounds how many digits a number has: fewer than Python takes for one."""

RANGE_UNIT: Final = re.compile(r"bytes *= *(.+)", re.IGNORECASE)
RANGE_SPEC: Final = re.compile(r"[ \t]*(?:([0-9]+)[ \t]*-[ \t]*([0-9]+)?|-[ \t]*([0-9]+))[ \t]*")


class ByteRange(msgspec.Struct, frozen=True, gc=False):
    """Bytes [start, end) of a representation."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.end - self.start


WHOLE: Final[tuple[ByteRange, ...]] = ()
"""Serve the whole representation with 200."""


def satisfiable_ranges(text: str, length: int, ranges_max: int = RANGES_MAX) -> tuple[ByteRange, ...] | None:
    """What to serve: WHOLE, ranges in the order asked for, or None for 416.

    Differs: RFC 9110 14.2 lets an invalid set be ignored or refused; like nginx it is refused here.
    """
    unit = RANGE_UNIT.fullmatch(text)
    if unit is None or len(text) > RANGE_FIELD_BYTES_MAX:
        # RFC 9110 14.2: "An origin server MUST ignore a Range header field that contains a range unit it does
        # not understand."
        return WHOLE
    specs = unit[1].split(",", ranges_max)
    if len(specs) > ranges_max:
        return WHOLE
    wanted: list[ByteRange] = []
    for spec in filter(str.strip, specs):  # RFC 9110 5.6.1.2: empty members are ignored
        one = resolve_range(spec, length)
        if one is None:
            return None
        if one.start < one.end:
            wanted.append(one)
        elif one.start == 0:
            return WHOLE  # The beginning of an empty file is all of it.
    return sane_ranges(wanted, length)


def resolve_range(spec: str, length: int) -> ByteRange | None:
    """One range-spec clipped to the length (empty when it lies outside); None when it is not a range."""
    match = RANGE_SPEC.fullmatch(spec)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return ByteRange(max(length - int(suffix), 0), length)
    start = int(first)
    end = length if last is None else min(int(last) + 1, length)
    return ByteRange(start, max(start, end))


def sane_ranges(wanted: list[ByteRange], length: int) -> tuple[ByteRange, ...] | None:
    """The whole when the ranges together are larger than it; None when none is left."""
    if not wanted:
        return None
    if sum(one.length for one in wanted) > length:
        return WHOLE
    return tuple(wanted)


def content_range(one: ByteRange, length: int) -> str:
    """The Content-Range of a part (RFC 9110 14.4)."""
    return f"bytes {one.start}-{one.end - 1}/{length}"


def unsatisfied_range(length: int) -> str:
    """The Content-Range of a 416."""
    return f"bytes */{length}"


def part_head(one: ByteRange, length: int, media_type: str, boundary: str) -> bytes:
    """What stands before a part of multipart/byteranges (RFC 9110 14.6)."""
    fields = f"Content-Type: {media_type}\r\nContent-Range: {content_range(one, length)}"
    head = f"\r\n--{boundary}\r\n{fields}\r\n\r\n"
    return head.encode("latin-1")


def closing_delimiter(boundary: str) -> bytes:
    """What stands after the last part."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")
