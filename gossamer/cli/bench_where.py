"""gossamer bench where: where the microseconds of a unit of work go, by room of the house.

Owns the options of that command; `loadtest.web.where` owns what is measured.
"""

from typing import Final

import click

from gossamer.cli.bench_http import names
from gossamer.cli.bench_options import Asked, Length, check_output, dialect, ended_cleanly, present
from gossamer.loadtest.namespaces import NamespaceError
from gossamer.loadtest.servers import ServerError
from gossamer.loadtest.web.contenders import OURS_NAMES
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.report import WIDTH
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.settings import FULL, QUICK, WebSettings
from gossamer.loadtest.web.where import DEFAULT_ROWS, WhereResult, draw_paths, measure_paths, show_paths
from gossamer.shards.exitcode import CommandError

EPILOG: Final = """\b
Examples:
  gossamer bench where --rows keep-alive,64k --output results
  gossamer bench where --quick --samples 50 --contenders kernel,frames
"""


@click.command(epilog=EPILOG)
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
@dialect(WhereResult, Length(FULL.rounds, QUICK.rounds, FULL.seconds, QUICK.seconds, FULL.time_limit))
def where(asked: Asked, rows: tuple[str, ...], link: str, contenders: tuple[str, ...], samples: int) -> None:
    """Where a worker's CPU time goes, by room, over a link, a row at a time. Needs root."""
    bulk_bytes = (QUICK if asked.is_quick else FULL).bulk_bytes
    settings = WebSettings(
        rows, (link,), contenders, asked.rounds, asked.seconds, bulk_bytes, asked.time_limit_s, "cubic"
    )
    check_output(asked)
    try:
        with ended_cleanly():
            found = measure_paths(settings, samples, asked.pace())
    except (ServerError, NamespaceError, OSError) as error:
        raise CommandError(f"bench where: {error}") from error
    present(
        asked,
        found,
        lambda console: show_paths(found, console),
        lambda prefix: draw_paths(found, prefix),
        WIDTH,
    )
