"""Basic authentication: what a client shows. Pure.

Owns how credentials are read; who is let in is decided elsewhere. Source: RFC 7617 2, RFC 9110 11.
"""

import re
from base64 import b64decode
from binascii import Error
from typing import Final, NamedTuple

BASIC: Final = re.compile(r"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]+={0,2})")
CREDENTIALS_BYTES_MAX: Final = 1024


class Credentials(NamedTuple):
    """A name and a password."""

    user: str
    password: str


def credentials_of(field: str | None) -> Credentials | None:
    """The credentials in an Authorization field; None where it has none that can be read.

    RFC 7617 2.1: a server that names no charset may be shown any; ours names UTF-8.
    """
    match = BASIC.fullmatch(field) if field is not None and len(field) <= 2 * CREDENTIALS_BYTES_MAX else None
    if match is None:
        return None
    try:
        text = b64decode(match[1], validate=True).decode("utf-8")
    except (Error, UnicodeDecodeError):
        return None
    user, colon, password = text.partition(":")
    if not colon or len(text) > CREDENTIALS_BYTES_MAX or not text.isprintable():
        return None
    return Credentials(user, password)
