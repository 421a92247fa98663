"""gossamer bench http: the web server beside its peers over a link, from options to pictures.

Owns the options of that command; `loadtest.web` owns what they mean.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console

from gossamer.cli.bench_options import SIZE, ended_cleanly, shown_options, teller
from gossamer.cli.duration import Duration
from gossamer.cli.sim.options import Value
from gossamer.core.clock import SECOND_US
from gossamer.loadtest.experiments.plot import pyplot
from gossamer.loadtest.namespaces import NamespaceError
from gossamer.loadtest.servers import ServerError
from gossamer.loadtest.web.contenders import ALL
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.picture import draw_web
from gossamer.loadtest.web.report import WIDTH, show
from gossamer.loadtest.web.result import WebResult, json_schema
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.run import compare
from gossamer.loadtest.web.settings import FULL, QUICK, WebSettings
from gossamer.shards.exitcode import CommandError

EPILOG: Final = f"""\b
Rows:
{chr(10).join(f"  {row.name:15} {row.title}" for row in ROWS.values())}

\b
Links:
{chr(10).join(f"  {link.name:15} {link.words(ROWS['keep-alive'])}" for link in LINKS.values())}

\b
Examples:
  gossamer bench http --output results
  gossamer bench http --quick --rows keep-alive,bulk-down --contenders kernel,frames,nginx
  gossamer bench http --links veth6-off --rounds 9 --json
"""


def names(known: Sequence[str]) -> Value:
    """An option that takes some of these names."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
        if not set(names) <= set(known):
            raise ValueError(text)
        return names

    return Value("names", f"one or more of {','.join(known)}", read)


@click.command(epilog=EPILOG)
@click.option("--rows", type=names(tuple(ROWS)), default=",".join(ROWS), help="What is asked.  [all]")
@click.option(
    "--links",
    type=names(tuple(LINKS)),
    default=(),
    help="Over what; every row is asked over each then.  [all rows over a link, some over others]",
)
@click.option(
    "--contenders", type=names(ALL), default=",".join(ALL), help=f"Of whom: some of {','.join(ALL)}.  [all]"
)
@click.option("--rounds", type=click.IntRange(1, 99), help=f"Rounds, alternating.  [{FULL.rounds}]")
@click.option("--seconds", type=click.IntRange(1, 60), help=f"Of a sample, at most.  [{FULL.seconds}]")
@click.option("--bulk", type=SIZE, help=f"Size of the large body.  [{FULL.bulk_bytes // 10**6}MB]")
@click.option(
    "--time-limit", type=Duration(), help=f"Begin nothing after this time.  [{FULL.time_limit_s / 60:.0f}m]"
)
@click.option(
    "--congestion",
    type=click.Choice(["cubic", "bbr"]),
    default="cubic",
    show_default=True,
    help="Congestion control, of both kernels and of the functional TCP.",
)
@click.option(
    "--schema", is_flag=True, help="Print the JSON Schema of what --json prints, and measure nothing."
)
@shown_options
def http(
    rows: tuple[str, ...],
    links: tuple[str, ...],
    contenders: tuple[str, ...],
    rounds: int | None,
    seconds: int | None,
    bulk: int | None,
    time_limit: int | None,
    congestion: str,
    schema: bool,
    quick: bool,
    as_json: bool,
    prefix: Path | None,
) -> None:
    """The web server on both stacks beside nginx, granian, uvicorn, hypercorn, gunicorn and bare asyncio.

    Over a veth pair with an MTU of 1500 first, over loopback second: CPU time, rate, latency and memory.
    Needs root.
    """
    if schema:
        click.echo(json.dumps(json_schema(), indent=2))
        return
    size = QUICK if quick else FULL
    settings = WebSettings(
        rows,
        links,
        contenders,
        rounds or size.rounds,
        seconds or size.seconds,
        bulk or size.bulk_bytes,
        time_limit / SECOND_US if time_limit else size.time_limit_s,
        congestion,
    )
    if prefix is not None:
        pyplot()
    _shown(_compared(settings), as_json, prefix)


def _compared(settings: WebSettings) -> WebResult:
    """Raises: CommandError."""
    try:
        with ended_cleanly():
            return compare(settings, teller())
    except (ServerError, NamespaceError, OSError) as error:
        raise CommandError(f"bench http: {error}") from error


def _shown(result: WebResult, as_json: bool, prefix: Path | None) -> None:
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        show(result, Console(width=max(WIDTH, Console().width)))
    if prefix is not None:
        paths = draw_web(result, prefix)
        document = prefix.with_suffix(".json")
        document.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
        for path in (*paths, document):
            teller()(f"written to {path}")
