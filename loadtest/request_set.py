"""The requests of a run: what each is, and which one request number n is.

    one request, or many by weight, spread evenly over a cycle; {column} in them is filled from the rows of a
    CSV file, one row for each round through the cycle

Owns templates, and the bytes that follow from them. Which number a connection has is `loadtest.pace`'s; the
order here is a pure function of the number, so that engines need not ask each other.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import gcd
from pathlib import Path
from typing import Final

import msgspec

from gossamer.core.errors import what_failed
from gossamer.core.http.client import build_request
from gossamer.loadtest.checks import Check
from gossamer.loadtest.fields import authority_of
from gossamer.shards.exitcode import ConfigError

CYCLE_MAX: Final = 1_000_000
"""Steps of a cycle of weights."""
ROWS_MAX: Final = 1_000_000
ROWS_BYTES_MAX: Final = 256 << 20
FILLED_MAX: Final = 4_096
"""Filled requests that are kept made."""
COLUMN: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110 9.2.2: these may be sent again where a connection was closed before an answer."""
METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

Row = Mapping[str, str]


class RequestTemplate(msgspec.Struct, frozen=True):
    """One request as it was asked for; {column} may stand in its path, fields and body."""

    method: str
    path: str
    authority: str
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    weight: int = 1
    checks: tuple[Check, ...] = ()

    @property
    def name(self) -> str:
        """As errors name it."""
        return f"{self.method} {self.path}"


class PreparedRequest(msgspec.Struct, frozen=True):
    """One request as it is sent."""

    method: str
    data: bytes
    checks: tuple[Check, ...]
    is_idempotent: bool
    keeps_body: bool
    """Whether a check looks at the body."""
    checks_status: bool


class RequestSet:
    """Which request each number is."""

    def __init__(
        self,
        templates: tuple[RequestTemplate, ...],
        rows: tuple[Row, ...] = (),
        *,
        keep_alive: bool = True,
        minor: int = 1,
    ) -> None:
        self.templates = templates
        self.rows = rows
        self._keep_alive, self._minor = keep_alive, minor
        self._cycle = weighted_cycle([each.weight for each in templates])
        self._filled = lru_cache(FILLED_MAX)(self._fill)
        self._plain = [] if rows else [self._prepare(template) for template in templates]
        self.only = self._plain[0] if len(self._plain) == 1 else None
        """The request, where there is but one."""

    @property
    def has_checks(self) -> bool:
        """Whether answers are looked at."""
        return any(template.checks for template in self.templates)

    def of(self, number: int) -> PreparedRequest:
        """Request number n."""
        if self.only is not None:
            return self.only
        round_number, step = divmod(number, len(self._cycle))
        if not self.rows:
            return self._plain[self._cycle[step]]
        return self._filled(self._cycle[step], round_number % len(self.rows))

    def _fill(self, index: int, row: int) -> PreparedRequest:
        return self._prepare(filled(self.templates[index], self.rows[row]))

    def _prepare(self, template: RequestTemplate) -> PreparedRequest:
        subjects = {check.subject for check in template.checks}
        return PreparedRequest(
            template.method,
            request_bytes(template, keep_alive=self._keep_alive, minor=self._minor),
            template.checks,
            template.method in IDEMPOTENT,
            "body" in subjects,
            "status" in subjects,
        )


def request_bytes(template: RequestTemplate, *, keep_alive: bool, minor: int) -> bytes:
    """The octets of a request. Raises: ConfigError for one that no request line or field may hold."""
    others = [(name, value) for name, value in template.fields if name.lower() != "host"]
    if minor == 0 and keep_alive:
        others.append(("Connection", "keep-alive"))
    authority = authority_of(template.fields, template.authority)
    try:
        data = build_request(
            template.method,
            template.path,
            authority,
            others,
            template.body,
            keep_alive=keep_alive,
            minor=minor,
        )
    except (ValueError, UnicodeEncodeError) as error:
        raise ConfigError(f"request {template.name!r}: {error}") from None
    if " " in template.path:
        raise ConfigError(f"request {template.name!r}: the path must be without blanks (percent-encode it)")
    return data


def weighted_cycle(weights: list[int]) -> list[int]:
    """The order of one cycle: each index as often as its weight says, evenly spread; equal weights in turn.

    Raises: ConfigError where nothing has a weight, or the cycle would be too long.
    """
    divisor = gcd(*weights)
    if not divisor:
        raise ConfigError("weights: found 0 for every request; allowed: more than 0 for one of them")
    shares = [weight // divisor for weight in weights]
    if sum(shares) > CYCLE_MAX:
        raise ConfigError(f"weights: found {sum(shares):,} steps to a cycle; allowed: {CYCLE_MAX:,}")
    places = ((turn + 0.5) / share for share in shares for turn in range(share))
    indexes = (index for index, share in enumerate(shares) for _ in range(share))
    return [index for _, index in sorted(zip(places, indexes, strict=True))]


def columns_of(templates: Iterable[RequestTemplate]) -> set[str]:
    """The columns that are asked for."""
    found: set[str] = set()
    for template in templates:
        texts = (template.path, *(value for _, value in template.fields), template.body.decode("latin-1"))
        found.update(name for text in texts for name in COLUMN.findall(text))
    return found


def filled(template: RequestTemplate, row: Row) -> RequestTemplate:
    """A request with the values of a row; braces that name no column stay."""

    def fill(text: str) -> str:
        return COLUMN.sub(lambda found: row.get(found[1], found[0]), text)

    return msgspec.structs.replace(
        template,
        path=fill(template.path),
        fields=tuple((name, fill(value)) for name, value in template.fields),
        body=fill(template.body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
    )


def read_rows(path: Path, wanted: set[str]) -> tuple[Row, ...]:
    """The rows of a CSV file whose first line names the columns. Raises: ConfigError, in one line."""
    try:
        if path.stat().st_size > ROWS_BYTES_MAX:
            raise ConfigError(f"--rows {path}: more than {ROWS_BYTES_MAX >> 20} MiB")
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval="")
            rows = tuple(reader)
            names = set(reader.fieldnames or ())
    except OSError as error:
        raise ConfigError(f"--rows: {what_failed(error)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"--rows {path}: {error}") from None
    if not rows or len(rows) > ROWS_MAX:
        raise ConfigError(f"--rows {path}: found {len(rows):,} rows; allowed: 1 to {ROWS_MAX:,}")
    if not wanted:
        raise ConfigError("--rows: no request names a column; write {column} in its path, fields or body")
    if missing := sorted(wanted - names):
        raise ConfigError(f"--rows {path}: no column {missing[0]!r}; there are: {', '.join(sorted(names))}")
    return rows
