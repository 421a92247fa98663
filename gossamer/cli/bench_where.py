"""gossamer bench where: where the microseconds of a unit of work go, by room of the house.

Owns the options of that command; `loadtest.web.where` owns what is measured.
"""

from typing import Final

import click
import msgspec
from rich.console import Console

from gossamer.cli.bench_http import names
from gossamer.cli.bench_options import ended_cleanly, teller
from gossamer.loadtest.namespaces import NamespaceError
from gossamer.loadtest.servers import ServerError
from gossamer.loadtest.web.contenders import OURS_NAMES
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.report import WIDTH
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.settings import FULL, WebSettings
from gossamer.loadtest.web.where import DEFAULT_ROWS, measure_paths, show_paths
from gossamer.shards.exitcode import CommandError

ROUNDS_MAX: Final = 30


@click.command()
@click.option(
    "--rows",
    type=names(tuple(ROWS)),
    default=",".join(DEFAULT_ROWS),
    show_default=True,
    help="What is asked.",
)
@click.option("--link", type=click.Choice(list(LINKS)), default="veth4", show_default=True, help="Over what.")
@click.option(
    "--contenders",
    type=names(OURS_NAMES),
    default=",".join(OURS_NAMES),
    show_default=True,
    help="Which ways.",
)
@click.option(
    "--samples",
    type=click.IntRange(10, 100_000),
    default=400,
    show_default=True,
    help="Of each path: a hundred a second of the worker's CPU time, where the kernel ticks so.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def where(rows: tuple[str, ...], link: str, contenders: tuple[str, ...], samples: int, as_json: bool) -> None:
    """Where a worker's CPU time goes, by room, over a link, a row at a time. Needs root."""
    settings = WebSettings(
        rows, (link,), contenders, ROUNDS_MAX, FULL.seconds, FULL.bulk_bytes, FULL.time_limit_s, "cubic"
    )
    try:
        with ended_cleanly():
            paths = measure_paths(settings, samples, teller())
    except (ServerError, NamespaceError, OSError) as error:
        raise CommandError(f"bench where: {error}") from error
    if as_json:
        click.echo(msgspec.json.encode(paths))
    else:
        show_paths(paths, Console(width=max(WIDTH, Console().width)))
