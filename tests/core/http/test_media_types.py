"""Media types by extension."""

import pytest

from gossamer.core.http.media_types import DEFAULT_TYPE, MEDIA_TYPES, media_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("a/b/PHOTO.JPG", "image/jpeg"),
        ("a.tar.gz", "application/gzip"),
        ("a.b/none", DEFAULT_TYPE),
        ("none", DEFAULT_TYPE),
        ("what.ever", DEFAULT_TYPE),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.ods", "application/vnd.oasis.opendocument.spreadsheet"),
        ("live.m3u8", "application/vnd.apple.mpegurl"),
        ("live0.ts", "video/mp2t"),
        ("a.woff2", "font/woff2"),
        ("a.ttc", "font/collection"),
    ],
)
def test_media_type(name: str, expected: str) -> None:
    assert media_type(name) == expected


def test_overrides__come_first() -> None:
    assert media_type("a.html", {"html": "text/x"}) == "text/x"
    assert media_type("a.LOG", {".log": "text/x"}) == "text/x"
    assert media_type("a.css", {".log": "text/x"}) == "text/css; charset=utf-8"


def test_table__each_extension_once_and_in_order() -> None:
    assert list(MEDIA_TYPES) == sorted(MEDIA_TYPES)


def test_table__text_has_its_charset() -> None:
    assert all(value.endswith("charset=utf-8") for value in MEDIA_TYPES.values() if value.startswith("text/"))
