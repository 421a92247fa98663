"""The values of `gossamer sim`'s options: each error names what was found and what is allowed.

Owns the kinds of values and their bounds; `core.sim.scenario` decides what they mean for a run.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from gossamer.core.sim.loss import BurstLoss, DropExactly
from gossamer.core.tcp.congestion.named import UnknownCongestionControl, named
from gossamer.shards.confinement.imports import look_here_last
from gossamer.shards.units import parse_duration_us, parse_rate_bps, parse_share, parse_size_bytes

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # Before click 8.4 it takes no parameter.

RATE_BPS_MIN: Final = 1_000
RATE_BPS_MAX: Final = 100_000_000_000
DELAY_US_MAX: Final = 10_000_000
TIME_US_MAX: Final = 86_400_000_000
BYTES_MAX: Final = 1 << 36
QUEUE_BYTES_MIN: Final = 1500
QUEUE_BYTES_MAX: Final = 1 << 30
BUFFER_BYTES_MIN: Final = 128
BUFFER_BYTES_MAX: Final = 1 << 29
MTU_MIN: Final = 140
MTU_MAX: Final = 65_535
DROPS_MAX: Final = 10_000


class Value(ParamType):
    """An option's value, read by a function that raises ValueError when it is none."""

    def __init__(self, name: str, allowed: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._allowed = allowed
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Raises: click.BadParameter."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError:
            self.fail(f"found {value!r}; allowed: {self._allowed}", param, ctx)


def _bounded(read: Callable[[str], int], least: int, most: int) -> Callable[[str], int]:
    def read_bounded(text: str) -> int:
        value = read(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return read_bounded


def _rate(text: str) -> int:
    return 0 if text == "unlimited" else _bounded(parse_rate_bps, RATE_BPS_MIN, RATE_BPS_MAX)(text)


def _loss(text: str) -> float:
    share = parse_share(text)
    if share > 0.9:
        raise ValueError(text)
    return share


def _burst(text: str) -> BurstLoss:
    enters, colon, leaves = text.partition(":")
    if not colon or not parse_share(enters) or not parse_share(leaves):
        raise ValueError(text)
    return BurstLoss(parse_share(enters), parse_share(leaves))


def _drop(text: str) -> DropExactly:
    first, _, count = text.partition("+")
    if not 0 <= int(first) < BYTES_MAX or not 1 <= int(count or 1) <= DROPS_MAX:
        raise ValueError(text)
    return DropExactly(int(first), int(count or 1))


def _moment(text: str) -> int:
    return _bounded(parse_duration_us, 0, TIME_US_MAX)(text)


def _interval(text: str) -> tuple[int, int]:
    start, dash, end = text.partition("-")
    if not dash or _moment(start) >= _moment(end):
        raise ValueError(text)
    return _moment(start), _moment(end)


def _mtu(text: str) -> int:
    return _bounded(int, MTU_MIN, MTU_MAX)(text)


def _mtu_change(text: str) -> tuple[int, int]:
    when, colon, size = text.partition(":")
    if not colon:
        raise ValueError(text)
    return _moment(when), _mtu(size)


RATE: Final = Value("rate", "1kbit to 100gbit, such as 10mbit; or unlimited", _rate)
DELAY: Final = Value("duration", "0 to 10s, such as 50ms", _bounded(parse_duration_us, 0, DELAY_US_MAX))
MOMENT: Final = Value("duration", "0 to 24h, such as 30s", _moment)
TRANSFER: Final = Value("size", "1 to 64GiB, such as 10MiB", _bounded(parse_size_bytes, 1, BYTES_MAX))
QUEUE: Final = Value(
    "size", "1500B to 1GiB, such as 64KiB", _bounded(parse_size_bytes, QUEUE_BYTES_MIN, QUEUE_BYTES_MAX)
)
BUFFER: Final = Value(
    "size", "128B to 512MiB, such as 256KiB", _bounded(parse_size_bytes, BUFFER_BYTES_MIN, BUFFER_BYTES_MAX)
)
SHARE: Final = Value("share", "0 to 1, or 0% to 100%, such as 1%", parse_share)
LOSS: Final = Value("share", "0 to 0.9, or 0% to 90%, such as 1%", _loss)
BURST: Final = Value(
    "enters:leaves", "two shares above 0, such as 0.5%:25% (a burst of 4 every 200 segments)", _burst
)
DROP: Final = Value("first[+count]", f"numbers from 0, count 1 to {DROPS_MAX}, such as 100+4", _drop)
INTERVAL: Final = Value("from-until", "two times, such as 2s-3500ms", _interval)
MTU: Final = Value("bytes", f"{MTU_MIN} to {MTU_MAX}", _mtu)
MTU_CHANGE: Final = Value("when:bytes", f"a time and {MTU_MIN} to {MTU_MAX}, such as 2s:1200", _mtu_change)


def read_congestion(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    """The names of `--congestion`.

    Raises: click.BadParameter when one of them names nothing.
    """
    names = tuple(name.strip() for name in text.split(","))
    if any(":" in name for name in names):
        # As `serve` does for a handler.
        look_here_last()
    for name in names:
        try:
            named(name)
        except UnknownCongestionControl as error:
            raise click.BadParameter(str(error)) from error
    return names
