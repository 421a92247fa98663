"""Names of files for people and for JSON: Linux allows any octets in them, UTF-8 or not.

Owns the one form in which they are shown. Python holds such octets as lone surrogates (PEP 383), which no
output takes; whoever opens the file needs the name as it is.
"""


def printable(text: str) -> str:
    """A text with its octets that are no UTF-8 as \\xNN; any other text as it is.

    >>> from gossamer.core.printable import printable
    >>> printable(b"/srv/caf\\xe9".decode(errors="surrogateescape"))
    '/srv/caf\\\\xe9'
    """
    try:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no octet, of a program's own making
        return text.encode(errors="backslashreplace").decode()
