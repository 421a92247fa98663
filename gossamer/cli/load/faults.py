"""`--faults loss=1%,delay=20ms`: what a run's own packets are to meet on their way.

Owns how the text is read; `loadtest.faults` decides, `loadtest.faulty` performs.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gossamer.loadtest.faults import LinkFaults
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.units import parse_duration_us, parse_share

DELAY_US_MAX: Final = 10_000_000
SEED_MAX: Final = (1 << 32) - 1


def parse_delay_us(text: str) -> int:
    """Raises: ValueError."""
    delay_us = parse_duration_us(text)
    if not 0 <= delay_us <= DELAY_US_MAX:
        raise ValueError(text)
    return delay_us


def parse_seed(text: str) -> int:
    """Raises: ValueError."""
    seed = int(text)
    if not 0 <= seed <= SEED_MAX:
        raise ValueError(text)
    return seed


SHARE: Final = (parse_share, "0% to 100%")
KEYS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "loss": SHARE,
    "delay": (parse_delay_us, "a time such as 20ms, at most 10s"),
    "reorder": SHARE,
    "duplicate": SHARE,
    "seed": (parse_seed, f"0 to {SEED_MAX}"),
}
FIELDS: Final = {"delay": "delay_us"}
"""Of `LinkFaults`, where they are named otherwise."""


class AskedFaults(msgspec.Struct, frozen=True):
    """The faults, and the seed of their own."""

    faults: LinkFaults
    seed: int | None = None
    """None: that of the run."""


def parse_faults(text: str) -> AskedFaults:
    """Raises: ConfigError, in one line."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = (each.strip() for each in part.partition("="))
        if key not in KEYS or not equals:
            allowed = ", ".join(KEYS)
            raise ConfigError(f"--faults: found {part!r}; allowed: {allowed}, as in loss=1%,delay=20ms")
        if key in found:
            raise ConfigError(f"--faults: {key}: found twice; allowed: once")
        parse, allowed = KEYS[key]
        try:
            found[key] = parse(value)
        except (ValueError, OverflowError):
            raise ConfigError(f"--faults: {key}: found {value!r}; allowed: {allowed}") from None
    seed = found.pop("seed", None)
    if not any(found.values()):
        raise ConfigError("--faults: found none; allowed: at least one, as in loss=1%,delay=20ms")
    return AskedFaults(LinkFaults(**{FIELDS.get(key, key): value for key, value in found.items()}), seed)
