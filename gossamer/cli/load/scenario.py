"""A scenario: the options of `gossamer load` in a TOML file, and its requests as tables.

    url = "http://127.0.0.1:8080/"
    rate = "100:10s,100-2000:1m"

    [[request]]
    url = "/basket"
    method = "POST"
    body = "item={item}"
    weight = 3

Owns how the file is read. Its keys are the long names of the flags, its values what one would write behind
them: they are the flags' defaults, and so are checked by the same types.
"""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from gossamer.loadtest.fields import parse_fields
from gossamer.loadtest.request_files import WEIGHT_MAX, AskedRequest, data_of, read_octets
from gossamer.shards.exitcode import ConfigError

SCENARIO_BYTES_MAX: Final = 16 << 20
REQUESTS: Final = "gossamer.load.requests"
"""Where a context keeps the requests of the scenario."""
NOT_IN_A_FILE: Final = frozenset({"scenario", "help", "json", "schema"})


class ScenarioRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A [[request]] table."""

    url: str
    method: str = ""
    header: list[str] = []
    body: str = ""
    """Or "@FILE"."""
    weight: int = 1
    check: list[str] = []


def take_scenario(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    """Have the options of a file be defaults. Raises: ConfigError, in one line."""
    if path is None:
        return
    try:
        found = tomllib.loads(read_octets(path, "--scenario", SCENARIO_BYTES_MAX).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--scenario {path}: {error}") from None
    ctx.meta[REQUESTS] = scenario_requests(found.pop("request", []), path)
    ctx.default_map = defaults_of(found, ctx.command.params, path)


def defaults_of(
    found: dict[str, Any], parameters: Iterable[click.Parameter], path: Path
) -> dict[str, str | bool | list[str]]:
    """The options of a file by the names of their parameters. Raises: ConfigError for one that is none."""
    names = {
        spelling.lstrip("-"): parameter.name or ""
        for parameter in parameters
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if spelling.startswith("--") or isinstance(parameter, click.Argument)
    }
    known = names.keys() - NOT_IN_A_FILE
    defaults: dict[str, str | bool | list[str]] = {}
    for key, value in found.items():
        name = key.replace("_", "-")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "gossamer load --help lists them"
            raise ConfigError(f"--scenario {path}: no option {key!r}; {hint}")
        defaults[names[name]] = as_written(value, key, path)
    return defaults


def as_written(value: object, key: str, path: Path) -> str | bool | list[str]:
    """A value as one would write it behind the flag. Raises: ConfigError for a table or a date."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return [str(each) for each in value]
    raise ConfigError(f"--scenario {path}: {key}: found {type(value).__name__}; allowed: what the flag takes")


def scenario_requests(tables: object, path: Path) -> tuple[AskedRequest, ...]:
    """The [[request]] tables. Raises: ConfigError."""
    try:
        found = msgspec.convert(tables, list[ScenarioRequest])
    except msgspec.ValidationError as error:
        raise ConfigError(f"--scenario {path}: request: {error}") from None
    return tuple(asked(table, path) for table in found)


def asked(table: ScenarioRequest, path: Path) -> AskedRequest:
    """One of them. Raises: ConfigError."""
    if not 0 <= table.weight <= WEIGHT_MAX:
        raise ConfigError(f"--scenario {path}: weight: found {table.weight}; allowed: 0 to {WEIGHT_MAX}")
    body = data_of(table.body, f"--scenario {path}: body", path.parent)
    method = table.method or ("POST" if body else "GET")
    return AskedRequest(method, table.url, parse_fields(table.header), body, table.weight, tuple(table.check))
