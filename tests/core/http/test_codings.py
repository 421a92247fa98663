"""Which coding a client gets: RFC 9110 12.5.3 as a table."""

import pytest

from gossamer.core.http.codings import MEMBERS_MAX, wanted_codings

OFFERED = ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        (None, []),
        ("", []),
        ("gzip", ["gzip"]),
        ("GZIP", ["gzip"]),
        ("x-gzip", ["gzip"]),
        ("gzip, deflate, br, zstd", ["br", "zstd", "gzip"]),
        ("gzip;q=1.0, br;q=0.5", ["gzip", "br"]),
        ("gzip ; q=0.8 , zstd;Q=0.9", ["zstd", "gzip"]),
        ("gzip;q=0", []),
        ("gzip;q=0.000", []),
        ("*", ["br", "zstd", "gzip"]),
        ("*;q=0.5, gzip", ["gzip", "br", "zstd"]),
        ("*, br;q=0", ["zstd", "gzip"]),
        ("identity", []),
        ("identity;q=1, gzip;q=0.5", []),
        ("identity;q=0.5, gzip;q=1", ["gzip"]),
        ("identity;q=0.5, gzip;q=0.5", ["gzip"]),
        ("identity;q=0, gzip", ["gzip"]),
        ("identity;q=0", []),
        ("gzip,,br,", ["br", "gzip"]),
        ("gzip;q=2", []),
        ("gzip;q=-1", []),
        ("gzip;q=0.1234", []),
        ("gzip;q", []),
        ("gzip;level=9", []),
        ("deflate, compress", []),
        ("gz ip", []),
        ("gzip, " * MEMBERS_MAX + "br", []),
    ],
)
def test_wanted(accepted: str | None, wanted: list[str]) -> None:
    assert list(wanted_codings(accepted, OFFERED)) == wanted
