"""Durations, sizes, rates and shares as people write them: "30s", "64KiB", "10mbit", "1%". Pure."""

import re
from decimal import Decimal
from typing import Final

from gossamer.core.clock import NEVER_US

DURATION_UNITS_US: Final = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
SIZE_UNITS_BYTES: Final = {
    "b": 1,
    "kb": 1_000,
    "mb": 1_000_000,
    "gb": 1_000_000_000,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}
RATE_UNITS_BPS: Final = {
    "bit": 1,
    "kbit": 1_000,
    "mbit": 1_000_000,
    "gbit": 1_000_000_000,
}
QUANTITY: Final = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([a-zA-Z]*)\s*", re.ASCII)


NEVER: Final = "never"


def is_size(name: str) -> bool:
    """Whether a key of this name holds a size in bytes."""
    return name.endswith(("_bytes", "_bytes_max"))


def _parse(text: str, units: dict[str, int], unit_default: str) -> int:
    found = QUANTITY.fullmatch(text)
    unit = found[2].lower() or unit_default if found else ""
    if found is None or unit not in units:
        raise ValueError(text)
    return int(Decimal(found[1]) * units[unit])


def parse_duration_us(text: str) -> int:
    """The microseconds of "30s"; a number without a unit counts seconds; "never". Raises: ValueError."""
    return NEVER_US if text.strip() == NEVER else _parse(text, DURATION_UNITS_US, "s")


def parse_size_bytes(text: str) -> int:
    """The bytes of "64KiB"; a number without a unit counts bytes. Raises: ValueError."""
    return _parse(text, SIZE_UNITS_BYTES, "b")


def parse_rate_bps(text: str) -> int:
    """The bits a second of "10mbit"; a number without a unit counts bits. Raises: ValueError."""
    return _parse(text, RATE_UNITS_BPS, "bit")


def parse_share(text: str) -> float:
    """The part of one that "1%" or "0.01" is. Raises: ValueError."""
    plain = text.strip()
    share = float(plain[:-1]) / 100 if plain.endswith("%") else float(plain)
    if not 0 <= share <= 1:
        raise ValueError(text)
    return share


def _format(value: int, units: dict[str, int], names: tuple[str, ...]) -> str:
    for name in names:
        if value and value % units[name.lower()] == 0:
            return f"{value // units[name.lower()]}{name}"
    return f"{value}{names[-1]}"


def format_duration(us: int) -> str:
    """The shortest exact text of a duration, as `parse_duration_us` reads it."""
    return NEVER if us == NEVER_US else _format(us, DURATION_UNITS_US, ("h", "m", "s", "ms", "us"))


def format_size(size_bytes: int) -> str:
    """The shortest exact text of a size, as `parse_size_bytes` reads it."""
    return _format(size_bytes, SIZE_UNITS_BYTES, ("GiB", "MiB", "KiB", "B"))
