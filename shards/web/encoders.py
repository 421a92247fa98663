"""Compressing a body: the codings that the libraries of this machine have.

Owns how hard each is tried. Everything is imported when a worker starts: the user that it becomes may not be
able to read the libraries. Source: RFC 9110 8.4.1, RFC 7932 (br), RFC 8878 (zstd).
"""

import gzip
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

Encoder = Callable[[bytes], bytes]

GZIP_LEVEL: Final = 6
ZSTD_LEVEL: Final = 9
BROTLI_QUALITY: Final = 6
"""Each takes a few milliseconds for 100 KiB of text; once a file, since the result is kept."""

EXTENSIONS: Final = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""What files are called that were compressed before; the codings in the order in which they are offered."""


def encoders() -> dict[str, Encoder]:
    """What compresses, by coding."""
    found: dict[str, Encoder] = {}
    if find_spec("brotli") is not None:
        import brotli

        found["br"] = lambda body: bytes(brotli.compress(body, quality=BROTLI_QUALITY))
    if find_spec("zstandard") is not None:
        import zstandard

        # One for each call: it may not be shared by the threads of the pool.
        found["zstd"] = lambda body: bytes(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body))
    found["gzip"] = lambda body: gzip.compress(body, GZIP_LEVEL, mtime=0)
    return found
