"""Which mount a request is for: a table of paths, the longest that stands in front of its own. Pure.

Owns how a path is compared, by whole segments with their percent-encoding undone, and what is left of a
request's head for whoever stands there: the same request, asked of its own root.

Source: RFC 3986 3.3, 6.2.2; RFC 9112 3.2.
"""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

T = TypeVar("T")


class Mounted(NamedTuple, Generic[T]):
    """What was found for a request."""

    path: str
    """Where it is mounted; "" is the target's own place."""
    part: T
    head: bytes
    """The request's head, with its path as it is beneath the mount."""
    is_bare: bool
    """Whether the mount's path was asked for itself, without a slash at its end."""


class MountTable(Generic[T]):
    """Paths to what stands there. Bounds: a look-up takes as many steps as the deepest path has segments."""

    def __init__(self, root: T, mounts: Mapping[str, T]) -> None:
        """`root` has what no mount has; a path begins with a slash, and ends with none."""
        self.root = root
        self.mounts = {path.encode("utf-8"): (path, part) for path, part in mounts.items()}
        self.depth_max = max((path.count("/") for path in mounts), default=0)

    def find(self, head: bytes) -> Mounted[T]:
        """Whose a request is. What is no request of HTTP/1.1 is the root's, to be refused."""
        begin, end = path_of(head)
        segments = head[begin:end].split(b"/", self.depth_max + 1)
        for depth in range(min(self.depth_max, len(segments) - 1), 0, -1):
            front = b"/".join(segments[: depth + 1])
            known = self.mounts.get(decoded(front) if b"%" in front else front)
            if known is not None:
                path, part = known
                rest = begin + len(front)
                slash = b"" if rest < end else b"/"
                return Mounted(path, part, head[:begin] + slash + head[rest:], bool(slash))
        return Mounted("", self.root, head, is_bare=False)


def decoded(path: bytes) -> bytes:
    """A path with the percent-encoding of its segments undone; what was a slash in one ends none."""
    return b"/".join([unquote_to_bytes(part).replace(b"/", b"%2F") for part in path.split(b"/")])


def path_of(head: bytes) -> tuple[int, int]:
    """Where the path of a request's target begins and ends; an empty stretch where there is none: of "*", of
    CONNECT, of what is no request line.
    """
    line_end = head.find(b"\r\n")
    begin = head.find(b" ", 0, line_end) + 1
    end = head.find(b" ", begin, line_end)
    if begin == 0 or end < 0:
        return 0, 0
    if head[begin : begin + 1] != b"/":
        # The absolute-form: an authority stands in front.
        authority = head.find(b"://", begin, end)
        begin = head.find(b"/", authority + 3, end) if authority >= 0 else -1
        if begin < 0:
            return 0, 0
    query = head.find(b"?", begin, end)
    return begin, end if query < 0 else query
