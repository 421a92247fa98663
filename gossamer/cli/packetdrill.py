"""gossamer packetdrill: scripts of packets and socket calls, played against our TCP.

Owns the options, what is printed, and how the command ends. Verdicts are standard output; the summary, which
holds what depends on this machine, is standard error.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import track

from gossamer.core.packetdrill.profiles import PROFILES
from gossamer.core.packetdrill.runner import play
from gossamer.core.packetdrill.verdict import Outcome, ScriptVerdict
from gossamer.shards.exitcode import ConfigError, ExitCode

EPILOG: Final = """\b
Examples:
  gossamer packetdrill tests/packets/rfc9293
  gossamer packetdrill --profile bsd --strict --json script.pkt
  gossamer packetdrill --set-up common/defaults.sh --set-up 'sysctl net.ipv4.tcp_ecn=2' script.pkt

\b
Exit codes:
  0  every script passed
  1  a script failed, is not in the language, or asks for what does not exist here
  2  a wrong option, or a script that cannot be read
"""

SUFFIX: Final = "*.pkt"
SCRIPT_BYTES_MAX: Final = 1 << 20
COLOURS: Final = {
    Outcome.PASS: "green",
    Outcome.FAIL: "red",
    Outcome.UNSUPPORTED: "yellow",
    Outcome.ERROR: "red",
}


def scripts_of(paths: tuple[Path, ...]) -> list[Path]:
    """The scripts that the arguments name; of a folder all *.pkt below it. Raises: ConfigError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(path.rglob(SUFFIX))
            if not below:
                raise ConfigError(f"{path}: found no script; a folder must hold files {SUFFIX}")
            found += below
        else:
            found.append(path)
    return found


def text_of(path: Path) -> str:
    """A script's text. Raises: ConfigError."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(octets) > SCRIPT_BYTES_MAX:
        raise ConfigError(f"{path}: found {len(octets)} bytes; a script has at most {SCRIPT_BYTES_MAX}")
    return octets.decode("utf-8", "replace")


def definitions_of(defines: tuple[str, ...]) -> dict[str, str]:
    """The values of -D NAME=VALUE and -D NAME. Raises: ConfigError."""
    found = {}
    for define in defines:
        name, equals, value = define.partition("=")
        if not name:
            raise ConfigError(f"--define: found {define!r}; allowed: NAME, or NAME=VALUE")
        found[name] = value if equals else "1"
    return found


class ScriptReport:
    """What was seen of all scripts."""

    def __init__(self, is_strict: bool) -> None:
        self.is_strict = is_strict
        self.outcomes: Counter[Outcome] = Counter()
        self.lacking: Counter[str] = Counter()
        self.events_total = 0

    def add(self, verdict: ScriptVerdict) -> None:
        """Count one."""
        outcome = verdict.outcome(self.is_strict)
        self.outcomes[outcome] += 1
        self.events_total += verdict.events
        if outcome is Outcome.UNSUPPORTED:
            self.lacking[verdict.name] += 1

    @property
    def has_passed(self) -> bool:
        """Whether all did."""
        return set(self.outcomes) <= {Outcome.PASS}

    def lines(self, elapsed_s: float) -> Iterator[str]:
        """The summary."""
        counts = ", ".join(f"{self.outcomes[outcome]} {outcome.value}" for outcome in Outcome)
        rate = self.events_total / max(elapsed_s, 1e-9)
        kind = "strict" if self.is_strict else "lenient"
        yield f"{sum(self.outcomes.values())} scripts ({kind}): {counts}"
        yield f"{self.events_total} events in {elapsed_s:.2f} s: {rate:,.0f} events/s"
        if self.lacking:
            names = ", ".join(f"{name} ({count})" for name, count in self.lacking.most_common(10))
            yield f"unsupported: {names}"


def as_json(verdict: ScriptVerdict, is_strict: bool) -> str:
    """A verdict as one line of JSON."""
    line, message = verdict.where(is_strict)
    return msgspec.json.encode(
        {
            "script": verdict.script,
            "verdict": verdict.verdict.value,
            "strict": verdict.strict.value,
            "line": line,
            "message": message,
        }
    ).decode()


def print_verdict(console: Console, verdict: ScriptVerdict, is_strict: bool) -> None:
    """A verdict as people read it."""
    outcome = verdict.outcome(is_strict)
    line, message = verdict.where(is_strict)
    other = "" if is_strict or verdict.strict is verdict.verdict else f" (strict: {verdict.strict.value})"
    where = f":{line}: {message}" if message else ""
    console.print(outcome.value, style=COLOURS[outcome], end=" ")
    console.print(f"{verdict.script}{where}{other}", markup=False)


def show(console: Console, text: str) -> None:
    """A line of the timeline."""
    console.print(f"  {text}", markup=False)


@click.command(epilog=EPILOG)
@click.argument("scripts", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--strict", is_flag=True, help="Look at PSH, windows and the sizes of segments too.")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    help="The habits that the scripts expect; otherwise a script's own sysctls decide.",
)
@click.option(
    "--define",
    "-D",
    "defines",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="A word of the scripts, and its value: 1, where none is given. #ifdef asks for it.",
)
@click.option(
    "--set-up",
    "set_up",
    multiple=True,
    metavar="COMMAND",
    help="What the machine was prepared with before each script, as in its back-quotes.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show what happens, and when.")
@click.pass_context
def packetdrill(
    context: click.Context,
    scripts: tuple[Path, ...],
    wants_json: bool,
    strict: bool,
    profile: str | None,
    defines: tuple[str, ...],
    set_up: tuple[str, ...],
    verbose: bool,
) -> None:
    """Play packetdrill SCRIPTS against the functional TCP, in virtual time.

    A folder stands for the *.pkt files below it.
    """
    definitions = definitions_of(defines)
    console = Console(soft_wrap=True, highlight=False)
    paths, report = scripts_of(scripts), ScriptReport(strict)
    begin_s = time.process_time()
    watched = track(paths, "", console=Console(stderr=True), transient=True) if sys.stderr.isatty() else paths
    for path in watched:
        timeline = (lambda text: show(console, text)) if verbose and not wants_json else None
        verdict = play(
            text_of(path),
            str(path),
            PROFILES[profile] if profile else None,
            timeline,
            definitions,
            set_up=set_up,
        )
        report.add(verdict)
        if wants_json:
            click.echo(as_json(verdict, strict))
        else:
            print_verdict(console, verdict, strict)
    for text in report.lines(time.process_time() - begin_s):
        click.echo(text, err=True)
    context.exit(ExitCode.OK if report.has_passed else ExitCode.FAILED)
