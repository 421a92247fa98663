"""An option of the command line that holds a time: "30s", "250ms", a plain number for seconds."""

from typing import TYPE_CHECKING, Any, Final

import click

from gossamer.shards.units import parse_duration_us

if TYPE_CHECKING:
    ParamType = click.ParamType[int]
else:
    ParamType = click.ParamType  # Before click 8.4 it takes no parameter.

DURATION_US_MAX: Final = 86_400_000_000


class Duration(ParamType):
    """A time such as 10s or 250ms, in microseconds."""

    name = "duration"

    def __init__(self, least_us: int = 1) -> None:
        self.least_us = least_us

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises: click.BadParameter."""
        if isinstance(value, int):
            return value
        try:
            duration_us = parse_duration_us(str(value))
        except ValueError:
            self.fail(f"found {value!r}; allowed: a time such as 10s, 250ms or 2m", param, ctx)
        if not self.least_us <= duration_us <= DURATION_US_MAX:
            least = "more than 0" if self.least_us else "0"
            self.fail(f"found {value!r}; allowed: {least} and at most 24h", param, ctx)
        return duration_us
