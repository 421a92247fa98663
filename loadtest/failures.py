"""What went wrong with requests: by kind and by phase, with one example of each.

Owns the names of kinds and phases, and what is kept of each: how often, when first and last, and one example
as it was said. It decides nothing about outcomes. Bounds: KINDS_MAX kinds, whatever a server invents; each
example EXAMPLE_MAX characters.
"""

from enum import StrEnum
from typing import Any, Final

from gossamer.core.errors import what_failed
from gossamer.core.http.client import ResponseError
from gossamer.core.tls.errors import TlsError

KINDS_MAX: Final = 64
EXAMPLE_MAX: Final = 120

ERROR_KINDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ConnectionRefusedError, "refused"),
    (ConnectionResetError, "reset"),
    (BrokenPipeError, "reset"),
    (ConnectionAbortedError, "aborted"),
    (TimeoutError, "timeout"),
    (EOFError, "closed early"),
    (OSError, "other"),
)


class RequestPhase(StrEnum):
    """How far a request had come."""

    CONNECT = "connect"
    TLS = "TLS"
    SEND = "send"
    FIRST_BYTE = "first byte"
    BODY = "body"
    CHECK = "check"
    """All of it came, and it is not what it must be."""


class CheckFailed(Exception):
    """A whole answer did not pass a check, which is its text."""


def kind_of(error: Exception) -> str:
    """The name under which an error is counted; what was wrong with an answer, or with TLS,
    is its own name."""
    if isinstance(error, ResponseError | CheckFailed | TlsError):
        return str(error) or "bad response"
    return next(kind for error_type, kind in ERROR_KINDS if isinstance(error, error_type))


class ErrorKind:
    """What is kept of one kind in one phase."""

    def __init__(self, kind: str, phase: RequestPhase, at_us: int, example: str) -> None:
        self.kind = kind
        self.phase = phase
        self.count = 0
        self.first_us = self.last_us = at_us
        self.example = example

    def summary(self, start_us: int) -> dict[str, Any]:
        """As `--json` prints it; times count from the start of the run."""
        return {
            "kind": self.kind,
            "phase": str(self.phase),
            "count": self.count,
            "first_us": self.first_us - start_us,
            "last_us": self.last_us - start_us,
            "example": self.example,
        }


class ErrorLog:
    """The errors of a run."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, RequestPhase], ErrorKind] = {}

    def note(self, error: Exception, phase: RequestPhase, at_us: int, seen: bytes = b"") -> None:
        """Count an error that ended a request; `seen` is what had come of the answer."""
        kind = kind_of(error)
        if (kind, phase) not in self._kinds and len(self._kinds) >= KINDS_MAX:
            kind = "other"
        noted = self._kinds.get((kind, phase))
        if noted is None:
            noted = ErrorKind(kind, phase, at_us, example_of(error, seen))
            self._kinds[kind, phase] = noted
        noted.count += 1
        noted.last_us = at_us

    def add(self, noted: ErrorKind) -> None:
        """Keep a kind that was noted elsewhere."""
        self._kinds[noted.kind, noted.phase] = noted

    def merge(self, other: "ErrorLog") -> None:
        """Add all that `other` has noted; beyond KINDS_MAX it is of kind "other"."""
        for (kind, phase), noted in other._kinds.items():
            if (kind, phase) not in self._kinds and len(self._kinds) >= KINDS_MAX:
                kind = "other"
            ours = self._kinds.get((kind, phase))
            if ours is None:
                ours = self._kinds[kind, phase] = ErrorKind(kind, phase, noted.first_us, noted.example)
            ours.count += noted.count
            ours.first_us, ours.last_us = min(ours.first_us, noted.first_us), max(ours.last_us, noted.last_us)

    @property
    def total(self) -> int:
        """All that were counted."""
        return sum(noted.count for noted in self._kinds.values())

    def by_kind(self) -> list[ErrorKind]:
        """The most frequent first."""
        return sorted(self._kinds.values(), key=lambda noted: -noted.count)


def example_of(error: Exception, seen: bytes) -> str:
    """An error in words, with the beginning of what came."""
    said = (
        str(error)
        if isinstance(error, ResponseError | EOFError | CheckFailed | TlsError)
        else what_failed(error)
    )
    if not seen:
        return said[:EXAMPLE_MAX]
    quoted = ascii(seen[:EXAMPLE_MAX].decode("latin-1"))
    return f"{said}: {quoted}"[:EXAMPLE_MAX]
