"""Media types by file name extension.

Owns the table (deterministic: the machine's own /etc/mime.types is never read); text types carry their
charset. Source: the IANA registry of media types; RFC 9239 for text/javascript.
"""

from collections.abc import Mapping
from typing import Final

DEFAULT_TYPE: Final = "application/octet-stream"

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "apng": "image/apng",
    "atom": "application/atom+xml",
    "avif": "image/avif",
    "avi": "video/x-msvideo",
    "bmp": "image/bmp",
    "bz2": "application/x-bzip2",
    "css": "text/css; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "gif": "image/gif",
    "gz": "application/gzip",
    "htm": "text/html; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/vnd.microsoft.icon",
    "ics": "text/calendar; charset=utf-8",
    "jar": "application/java-archive",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "map": "application/json",
    "md": "text/markdown; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "rss": "application/rss+xml",
    "rtf": "application/rtf",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "toml": "application/toml",
    "ttf": "font/ttf",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "zip": "application/zip",
    "zst": "application/zstd",
}


def media_type(name: str, overrides: Mapping[str, str] | None = None) -> str:
    """The type of a file name (extension in any case); DEFAULT_TYPE when it is not known.

    `overrides` come first; their extensions stand in lower case, with or without the dot.
    """
    _, dot, extension = name.rpartition("/")[2].rpartition(".")
    if not dot:
        return DEFAULT_TYPE
    extension = extension.lower()
    known = MEDIA_TYPES.get(extension, DEFAULT_TYPE)
    if not overrides:
        return known
    return overrides.get(extension) or overrides.get("." + extension) or known


COMPRESSIBLE: Final = frozenset(
    {
        "application/atom+xml",
        "application/javascript",
        "application/json",
        "application/ld+json",
        "application/manifest+json",
        "application/rss+xml",
        "application/rtf",
        "application/toml",
        "application/wasm",
        "application/xhtml+xml",
        "application/xml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/svg+xml",
        "image/vnd.microsoft.icon",
    }
)
"""Beside text/ and whatever ends with +json or +xml: types that are not compressed by themselves."""


def is_compressible(kind: str) -> bool:
    """Whether compressing a body of this type is worth it."""
    essence = kind.partition(";")[0].strip().lower()
    return essence.startswith("text/") or essence in COMPRESSIBLE or essence.endswith(("+json", "+xml"))
