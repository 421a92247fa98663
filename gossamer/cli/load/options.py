"""What may be asked of `gossamer load`: the options in their groups, from flags or from a scenario.

Owns the flags, their types and their bounds. `checked.py` makes the record of a run of them.
"""

from pathlib import Path
from typing import Final

import click

from gossamer.cli.duration import DURATION_US_MAX, Duration
from gossamer.cli.load.scenario import take_scenario
from gossamer.cli.option_lists import json_option, listed
from gossamer.cli.sim.options import Value
from gossamer.loadtest.phases import RATE_MAX, parse_rate
from gossamer.shards.units import parse_duration_us

CONNECTIONS_MAX: Final = 100_000
REQUESTS_MAX: Final = 1_000_000_000
PIPELINE_MAX: Final = 256
PROCESSES_MAX: Final = 64
SEED_MAX: Final = (1 << 32) - 1

FILE: Final = click.Path(path_type=Path, dir_okay=False)


def parse_think(text: str) -> tuple[int, int]:
    """A time, or the least and the most of one, "50ms-200ms". Raises: ValueError."""
    least, dash, most = text.partition("-")
    think = parse_duration_us(least), parse_duration_us(most if dash else least)
    if not 0 <= think[0] <= think[1] <= DURATION_US_MAX:
        raise ValueError(text)
    return think


def parse_processes(text: str) -> int:
    """A count of processes; 0 for auto. Raises: ValueError."""
    count = 0 if text == "auto" else int(text)
    if not (text == "auto" or 1 <= count <= PROCESSES_MAX):
        raise ValueError(text)
    return count


RATE: Final = Value("rate", "a number a second, or phases as in 100:30s,100-2000:2m,2000:5m", parse_rate)
PROCESSES: Final = Value("count", f"1 to {PROCESSES_MAX}, or auto", parse_processes)
THINK: Final = Value("time", "a time, or two, as in 100ms or 50ms-200ms", parse_think)

request_options: Final = listed(
    click.option("-X", "--method", default=None, help="The method.  [GET; POST with --data]"),
    click.option(
        "--data",
        default=None,
        metavar="TEXT|@FILE",
        help="The body of each request, or a file that holds it.",
    ),
    click.option(
        "-H",
        "--header",
        "fields",
        multiple=True,
        metavar="FIELD",
        help="A header field of each request, as 'Accept: text/html'; may be given again.",
    ),
    click.option("-u", "--user", default=None, metavar="NAME:PASSWORD", help="Basic authentication."),
    click.option(
        "--requests-file",
        type=FILE,
        default=None,
        help="Many requests: vegeta's text or JSON lines, HAR, or lines of curl.",
    ),
    click.option(
        "--rows", type=FILE, default=None, help="A CSV file; {column} in requests is filled from its rows."
    ),
    click.option(
        "--check",
        "checks",
        multiple=True,
        metavar="CHECK",
        help="What answers must be: status=200,3xx, field:NAME[=TEXT|~REGEX], body=TEXT, body~REGEX.",
    ),
    click.option("--http1.0", "http10", is_flag=True, help="Ask in HTTP/1.0."),
)

where_options: Final = listed(
    click.option("--host", default=None, help="The Host field, in place of the URL's."),
    click.option(
        "--connect-to", default=None, metavar="HOST:PORT", help="Connect there, whatever the URL says."
    ),
    click.option(
        "--unix-socket",
        default=None,
        metavar="PATH",
        help="Connect to this Unix socket.",
    ),
    click.option(
        "--source", default=None, metavar="ADDR[,ADDR]", help="Connect from these local addresses, in turn."
    ),
    click.option(
        "--cacert",
        type=FILE,
        default=None,
        help="Of an https URL: trust these authorities, a PEM file.  [those of the system]",
    ),
    click.option("--insecure", is_flag=True, help="Of an https URL: take any certificate."),
    click.option(
        "--stack",
        type=click.Choice(["kernel", "nfqueue"]),
        default="kernel",
        show_default=True,
        help="Kernel sockets, or the functional TCP (needs root).",
    ),
    click.option(
        "--faults",
        default=None,
        metavar="FAULTS",
        help="With --stack nfqueue: what packets meet, each way, as loss=1%,delay=20ms; also reorder=1%, "
        "duplicate=1%, seed=N.",
    ),
)

loop_options: Final = listed(
    click.option(
        "-d",
        "--duration",
        type=Duration(),
        default=None,
        help="End after this time at the latest.  [10s, without --requests]",
    ),
    click.option(
        "-n",
        "--requests",
        type=click.IntRange(1, REQUESTS_MAX),
        default=None,
        help="End after so many requests.  [no bound but the time]",
    ),
    click.option(
        "--rate",
        type=RATE,
        default=0.0,
        metavar="RATE|PHASES",
        help="Requests a second, sent whether or not the server keeps up; latency counts from when each was "
        "due. Or phases: 100:30s,100-2000:2m.",
    ),
    click.option(
        "--arrivals",
        type=click.Choice(["even", "poisson"]),
        default="even",
        show_default=True,
        help="How requests of --rate come: evenly, or at random, as those of independent users.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, SEED_MAX),
        default=None,
        help="Of what is random: the same seed is the same run.  [drawn, and told]",
    ),
    click.option(
        "--think",
        type=THINK,
        default=(0, 0),
        metavar="TIME[-TIME]",
        help="Without --rate: how long a connection rests after each answer.",
    ),
    click.option(
        "--pace",
        type=Duration(least_us=0),
        default="0s",
        help="Without --rate: a connection begins a request at most this often.",
    ),
    click.option(
        "--warm-up",
        type=Duration(least_us=0),
        default="0s",
        show_default=True,
        help="Load for so long before anything counts.",
    ),
    click.option(
        "--drain",
        type=Duration(least_us=0),
        default="2s",
        show_default=True,
        help="What was due and has no answer at the end has so long to come.",
    ),
)

connection_options: Final = listed(
    click.option(
        "-c",
        "--connections",
        type=click.IntRange(1, CONNECTIONS_MAX),
        default=64,
        show_default=True,
        help="Connections, each with a thread of its own on the thread library.",
    ),
    click.option(
        "--processes",
        type=PROCESSES,
        default=1,
        show_default=True,
        metavar="N|auto",
        help="Engine processes that share the run; auto: one for each processor.",
    ),
    click.option(
        "--connect-rate",
        type=click.FloatRange(1, RATE_MAX),
        default=5_000.0,
        show_default=True,
        help="Connections opened a second before the clock starts.",
    ),
    click.option(
        "--keepalive/--no-keepalive", default=True, help="Use a connection for many requests, or for one."
    ),
    click.option(
        "--pipeline",
        type=click.IntRange(1, PIPELINE_MAX),
        default=1,
        show_default=True,
        help="Requests sent at once on a connection.",
    ),
    click.option(
        "--timeout",
        type=Duration(),
        default="30s",
        show_default=True,
        help="Give up on an answer after this time.",
    ),
)

result_options: Final = listed(
    click.option(
        "--require",
        "thresholds",
        multiple=True,
        metavar="THRESHOLD",
        help="What must be met, else exit code 5: 'p99<50ms', 'errors<0.1%', 'rate>990', 'service.p50<1ms'; "
        "the run ends as soon as it cannot be.",
    ),
    click.option(
        "-o",
        "--output",
        "outputs",
        multiple=True,
        type=FILE,
        help="Write the result there too, by the ending: .json, .html, .csv, .hlog (HdrHistogram), .om "
        "(OpenMetrics).",
    ),
    click.option(
        "--intervals",
        type=FILE,
        default=None,
        help="Write each second there as soon as it is over, a line of JSON as in the result's timeline.",
    ),
    click.option("--progress", is_flag=True, help="A line a second on standard error, in place of a bar."),
    click.option(
        "--schema",
        is_flag=True,
        help="Print the JSON Schema of what --json prints, with --find or --against that of those; send "
        "nothing.",
    ),
    click.option("--strict", is_flag=True, help="Exit code 4 where figures are not valid."),
    json_option,
)

scenario_option: Final = click.option(
    "--scenario",
    type=FILE,
    default=None,
    is_eager=True,
    expose_value=False,
    callback=take_scenario,
    help="A TOML file of these options by their long names, and of [[request]] tables; flags go before it.",
)

question_options: Final = listed(
    click.option(
        "--find",
        "sought",
        default=None,
        metavar="THRESHOLD",
        help="Find the highest rate that holds it, as 'p99<50ms'; -d is how long a step is at least.",
    ),
    click.option(
        "--against",
        default=None,
        metavar="URL",
        help="Load that server too, in turns of -d / 12, and say which of the two is better.",
    ),
)

load_options: Final = listed(
    question_options,
    request_options,
    where_options,
    loop_options,
    connection_options,
    result_options,
    scenario_option,
)
