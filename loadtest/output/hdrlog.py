"""A run as a log of HdrHistogram: an entry for each interval, that the tools of HdrHistogram read.

Owns the encoding. Our buckets are those of an HdrHistogram of two significant digits from 1 us on, so the
counters go as they are. What was not answered stands there as how long it had waited. Units: microseconds.

Source: HdrHistogram, `AbstractHistogram.encodeIntoByteBuffer` (V2), `ZigZagEncoding`, `HistogramLogWriter`.
"""

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

from gossamer.loadtest.histogram import VALUE_MAX_US, bucket_top_us

COOKIE: Final = 0x1C849303 | 0x10
COMPRESSED_COOKIE: Final = 0x1C849304 | 0x10
HEAD: Final = struct.Struct(">iiiiqqd")
SIGNIFICANT_DIGITS: Final = 2


def log(found: dict[str, Any]) -> str:
    """The text of the file."""
    started = found["environment"]["started_unix_us"] / 1e6
    head = (
        "#[Response times of gossamer load, in microseconds]\n"
        "#[Histogram log format version 1.3]\n"
        f"#[StartTime: {started:.3f} (seconds since epoch)]\n"
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    )
    return head + "".join(entry(interval, started) for interval in found["timeline"])


def entry(interval: dict[str, Any], started: float) -> str:
    """A line."""
    lanes = lanes_of(interval["counts"], interval["floors"])
    start, end = interval["start_us"] / 1e6, interval["end_us"] / 1e6
    most = bucket_top_us(len(lanes) - 1) if lanes else 0
    return f"{started + start:.3f},{end - start:.3f},{most:.3f},{compressed(lanes)}\n"


def lanes_of(*sparse: list[int]) -> list[int]:
    """A counter for each bucket, up to the highest."""
    lanes = [0] * (1 + max((each for part in sparse for each in part[::2]), default=-1))
    for part in sparse:
        for bucket, count in zip(part[::2], part[1::2], strict=True):
            lanes[bucket] += count
    return lanes


def compressed(lanes: list[int]) -> str:
    """A histogram as a log has it."""
    counts = b"".join(zigzag(each) for each in runs(lanes))
    head = HEAD.pack(COOKIE, len(counts), 0, SIGNIFICANT_DIGITS, 1, VALUE_MAX_US, 1.0)
    data = zlib.compress(head + counts)
    return base64.b64encode(struct.pack(">ii", COMPRESSED_COOKIE, len(data)) + data).decode("ascii")


def runs(lanes: list[int]) -> Iterator[int]:
    """Counts; several zeros are one negative number."""
    zeros = 0
    for count in [*lanes, None]:
        if count == 0:
            zeros += 1
            continue
        if zeros and count is not None:
            yield -zeros if zeros > 1 else 0
        zeros = 0
        if count is not None:
            yield count


def zigzag(value: int) -> bytes:
    """A number as ZigZag LEB128."""
    left = (value << 1) ^ (value >> 63)
    octets = bytearray()
    while left > 0x7F:
        octets.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*octets, left])
