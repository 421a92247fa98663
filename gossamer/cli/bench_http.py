"""gossamer bench http: the web server beside its peers over a link, from options to pictures.

Owns the options of that command; `loadtest.web` owns what they mean.
"""

from collections.abc import Sequence
from typing import Final

import click

from gossamer.cli.bench_options import (
    QUICK_NOTE,
    SIZE,
    Asked,
    Length,
    check_output,
    dialect,
    ended_cleanly,
    present,
    teller,
)
from gossamer.cli.sim.options import Value
from gossamer.loadtest.namespaces import NamespaceError
from gossamer.loadtest.servers import ServerError
from gossamer.loadtest.web.contenders import ALL
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.picture import draw_web
from gossamer.loadtest.web.report import WIDTH, show
from gossamer.loadtest.web.result import WebResult
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
@click.option(
    "--bulk",
    type=SIZE,
    help=f"Size of the large body.  [{FULL.bulk_bytes // 10**6}MB; --quick: {QUICK.bulk_bytes // 10**6}MB]",
)
@click.option(
    "--congestion",
    type=click.Choice(["cubic", "bbr"]),
    default="cubic",
    show_default=True,
    help="Congestion control, of both kernels and of the functional TCP.",
)
@dialect(WebResult, Length(FULL.rounds, QUICK.rounds, FULL.seconds, QUICK.seconds, FULL.time_limit))
def http(
    asked: Asked,
    rows: tuple[str, ...],
    links: tuple[str, ...],
    contenders: tuple[str, ...],
    bulk: int | None,
    congestion: str,
) -> None:
    """The web server on both stacks beside nginx, granian, uvicorn, hypercorn, gunicorn and bare asyncio.

    Over a veth pair with an MTU of 1500 first, over loopback second: CPU time, rate, latency and memory.
    Needs root.
    """
    size = QUICK if asked.is_quick else FULL
    settings = WebSettings(
        rows,
        links,
        contenders,
        asked.rounds,
        asked.seconds,
        bulk or size.bulk_bytes,
        asked.time_limit_s,
        congestion,
    )
    check_output(asked)
    try:
        with ended_cleanly():
            found = compare(settings, teller())
    except (ServerError, NamespaceError, OSError) as error:
        raise CommandError(f"bench http: {error}") from error
    if asked.is_quick:
        found.notes.append(QUICK_NOTE)
    present(asked, found, lambda console: show(found, console), lambda prefix: draw_web(found, prefix), WIDTH)
