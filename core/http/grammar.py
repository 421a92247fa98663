"""The characters of HTTP/1.1, as regular expressions that leave nothing to a parser's lenience.

Owns the shape of lines; it knows no meaning of any field. Every expression is linear: no two adjacent repeats
can match the same byte. Source: RFC 9110 5.6.2 (token), 5.5 (field values); RFC 9112 2.2 (bare CR and LF), 3
(request line), 5 (field lines).
"""

import re
from ipaddress import IPv6Address
from typing import Final

TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"

ONE_TOKEN: Final = re.compile(TOKEN.decode("ascii"))

TRANSFER_ENCODING: Final = re.compile(rb"^transfer-encoding(?=:)", re.IGNORECASE | re.MULTILINE)
"""The name of that field, wherever a line begins with it."""

# RFC 9112 2.2: "a recipient MAY recognize a single LF as a line terminator" - here it may not: what one
# parser in a chain takes for the end of a line and another does not is how requests are smuggled.
BARE_LF: Final = re.compile(rb"(?<!\r)\n")

REQUEST_START: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]|\r")
"""What a request may begin with; a TLS handshake to the wrong port, for one, does not."""

REQUEST_LINE: Final = re.compile(
    rb"(?P<method>" + TOKEN + rb") (?P<target>[\x21-\x7e\x80-\xff]+) HTTP/(?P<major>[0-9])\.(?P<minor>[0-9])"
)
PLAIN_TARGET: Final = re.compile(rb"/[0-9A-Za-z._~!$&'()*+,;=:@%/?-]*")
"""An origin-form of RFC 3986's own characters, about which no two parsers differ."""

NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")

PLAIN_GET: Final = re.compile(
    rb"GET /((?:[0-9A-Za-z_~-][0-9A-Za-z._~-]*/)*[0-9A-Za-z_~-][0-9A-Za-z._~-]*) HTTP/1\.1"
)
"""A path of RFC 3986's unreserved characters, no segment empty or with a dot first, and no query."""

STATUS_LINE: Final = re.compile(
    rb"HTTP/(?P<major>[0-9])\.(?P<minor>[0-9]) (?P<status>[1-9][0-9]{2})"
    rb"(?: (?P<reason>[\t\x20-\x7e\x80-\xff]*))?"
)

# RFC 9112 5.1: "No whitespace is allowed between the field name and colon"; 5.2: obs-fold is refused, since a
# line that begins with white space has no token before its colon.
FIELD_LINE: Final = re.compile(rb"(" + TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*)")

FIELD_SECTION: Final = re.compile(rb"(?:" + TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n")
"""All the field lines of a head and the empty line: each has a token right before its colon."""

# RFC 3986 3.2.2: reg-name, IPv4address or a bracketed IP-literal, and a port.
HOST: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|\[v[0-9A-Fa-f]{1,8}\.[0-9A-Za-z._~!$&'()*+,;=:-]{1,255}\]"
    r"|(?:[0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}){1,255})(?::[0-9]{0,5})?"
)
"""Its shape: of what stands in brackets `is_host` knows more."""

DIGITS: Final = re.compile(rb"[0-9]{1,18}")
"""A Content-Length: digits alone (no sign, no 0x), and few enough for a signed 64-bit integer."""

QUOTED_STRING: Final = (
    rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'  # RFC 9110 5.6.4
)

CHUNK_LINE: Final = re.compile(
    rb"(?P<size>[0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*"
    + TOKEN
    + rb"(?:[ \t]*=[ \t]*(?:"
    + TOKEN
    + rb"|"
    + QUOTED_STRING
    + rb"))?)*"
)
"""RFC 9112 7.1: chunk-size and its extensions; fifteen digits stay below 2^63."""


def is_host(text: str) -> bool:
    """Whether it is a host, perhaps with a port, as Host and the authority of a target have it."""
    match = HOST.fullmatch(text)
    if match is None or match["ipv6"] is None:
        return match is not None
    try:
        IPv6Address(match["ipv6"])
    except ValueError:
        return False
    return True
