"""gossamer doctor: what this machine has for a server, what it lacks, and the way out."""

from itertools import chain

import click
import msgspec

from gossamer.shards.doctor import files, kernel, network, process
from gossamer.shards.doctor.findings import Finding, Wanted, in_the_way, verdict
from gossamer.shards.exitcode import ExitCode


class Diagnosis(msgspec.Struct, frozen=True):
    """What programs read."""

    wanted: Wanted
    runs: bool
    verdict: str
    findings: list[Finding]


def examine(wanted: Wanted, folder: str) -> Diagnosis:
    """Try all that can be tried."""
    found = list(chain(process.rows(), kernel.rows(), network.rows(), files.rows(folder)))
    return Diagnosis(wanted, not in_the_way(found, wanted), verdict(found, wanted), found)


def show(diagnosis: Diagnosis) -> None:
    """Print it for people."""
    from rich.table import Table  # of use here alone: programs ask for JSON, and do not wait

    from gossamer.cli.status_table import wide_console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "what", "found", "needed by", "way out"):
        table.add_column(name, overflow="fold")
    obstacles = in_the_way(diagnosis.findings, "nfqueue")
    for each in diagnosis.findings:
        mark = ("[red]no[/]" if each in obstacles else "[yellow]![/]") if each.is_amiss else "[green]ok[/]"
        cells = (each.name, each.found, each.needed_for, each.way_out)
        table.add_row(mark, *(cell.replace("[", r"\[") for cell in cells))
    console = wide_console()
    console.print(table)
    console.print(diagnosis.verdict, markup=False)


@click.command(epilog="Example: gossamer doctor --stack nfqueue")
@click.argument("folder", default="", metavar="[FOLDER]")
@click.option(
    "--stack", type=click.Choice(["auto", "kernel", "nfqueue"]), default="auto", show_default=True,
    help="The stack that is wanted; the exit code is 0 when it runs here, else 3.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(folder: str, stack: Wanted, as_json: bool) -> None:
    """Look at what a server needs of this machine, and of FOLDER, and say the way out."""
    diagnosis = examine(stack, folder)
    if as_json:
        click.echo(msgspec.json.encode(diagnosis).decode())
    else:
        show(diagnosis)
    if not diagnosis.runs:
        raise click.exceptions.Exit(ExitCode.CANNOT_START)
