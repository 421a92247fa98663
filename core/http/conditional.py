"""Conditional requests: may this representation be sent, and must it?

Owns RFC 9110 13 in the order of 13.2.2. It knows validators and fields, and no file.
"""

from collections.abc import Callable
from enum import Enum

import msgspec

from gossamer.core.http.dates import parse_date

FieldOf = Callable[[str], str | None]
"""A request's `field`: the combined value of a field in lower case, or None."""


class Validators(msgspec.Struct, frozen=True, gc=False):
    """What distinguishes one state of a representation from another."""

    etag: str
    """A strong entity tag, quotes included."""
    modified: int
    """Last-Modified, in seconds since 1970."""
    is_date_strong: bool = True
    """Whether that date, too, tells any two states apart (RFC 9110 8.8.2.2)."""


class Evaluation(Enum):
    """What the preconditions decided."""

    SEND = 200
    NOT_MODIFIED = 304
    FAILED = 412


def evaluate(field: FieldOf, method: str, validators: Validators) -> Evaluation:
    """The preconditions of a request for something that exists, in RFC 9110 13.2.2's order."""
    if_match = field("if-match")
    if if_match is not None:
        # 13.2.2, 1: "When recipient is the origin server and If-Match is present, evaluate" it.
        if not matches_strongly(if_match, validators.etag):
            return Evaluation.FAILED
    elif is_modified_since(field("if-unmodified-since"), validators, absent=False):
        return Evaluation.FAILED  # 13.2.2, 2
    if_none_match = field("if-none-match")
    if if_none_match is not None:
        # 13.2.2, 3: "if false for GET/HEAD, respond 304 (Not Modified); if false for other methods, respond
        # 412 (Precondition Failed)"
        if matches_weakly(if_none_match, validators.etag):
            return Evaluation.NOT_MODIFIED if method in ("GET", "HEAD") else Evaluation.FAILED
        return Evaluation.SEND
    if method in ("GET", "HEAD") and not is_modified_since(
        field("if-modified-since"), validators, absent=True
    ):
        return Evaluation.NOT_MODIFIED  # 13.2.2, 4
    return Evaluation.SEND


def is_modified_since(text: str | None, validators: Validators, absent: bool) -> bool:
    """Whether the representation is newer than the date; `absent` when there is no valid date to compare
    with.
    """
    if text is None:
        return absent
    since = parse_date(text)
    return absent if since is None else validators.modified > since


def range_applies(if_range: str | None, validators: Validators) -> bool:
    """Whether Range is to be honoured (13.2.2, 5): an If-Range must match strongly, its date exactly and
    only where it is a strong validator (13.1.5).
    """
    if if_range is None:
        return True
    if if_range.startswith('"'):
        return if_range == validators.etag
    return validators.is_date_strong and parse_date(if_range) == validators.modified


def entity_tags(text: str) -> list[str]:
    """The tags of a list; "*" stands for itself. A comma inside a tag is not a separator."""
    tags: list[str] = []
    at = 0
    while at < len(text):
        start = text.find('"', at)
        end = text.find('"', start + 1)
        if start < 0 or end < 0:
            break
        weak = text[max(start - 2, at) : start] == "W/"
        tags.append(("W/" if weak else "") + text[start : end + 1])
        at = end + 1
    return tags


def matches_strongly(text: str, etag: str) -> bool:
    """RFC 9110 8.8.3.2, strong comparison: a weak tag never matches."""
    return text == "*" or etag in entity_tags(text)


def matches_weakly(text: str, etag: str) -> bool:
    """RFC 9110 8.8.3.2, weak comparison."""
    return text == "*" or etag in [tag.removeprefix("W/") for tag in entity_tags(text)]
