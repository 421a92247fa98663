"""The command line: `gossamer`.

Owns the group, how errors and exit codes come out, and that commands of other floors are loaded only when
used. A user's mistake is one line on standard error; a traceback means a bug of ours.
"""

import contextlib
import importlib
from typing import Final

import click

from gossamer.core import native
from gossamer.core.printable import printable
from gossamer.shards.exitcode import MEANINGS, CommandError, ExitCode
from gossamer.shards.log.standard_streams import hold_standard_descriptors

COMMANDS: Final = {
    "bench": (
        "gossamer.cli.bench",
        "Measure the web server beside others over a link, and the paper's experiments again.",
    ),
    "capture": (
        "gossamer.cli.capture",
        "Write the packets of the functional TCP to FILE (pcapng), each with the rule that sent it.",
    ),
    "connections": (
        "gossamer.cli.connections",
        "Show the connections of a running server: state, cwnd, srtt, octets, age.",
    ),
    "doctor": (
        "gossamer.cli.doctor",
        "Look at what a server needs of this machine, and of FOLDER, and say the way out.",
    ),
    "examples": (
        "gossamer.cli.examples",
        "Write programs to begin from, scripts of packets and a commented config.toml into FOLDER.",
    ),
    "firewall": (
        "gossamer.cli.firewall",
        "Show, install or remove the rules that bring packets to the workers.",
    ),
    "load": ("gossamer.cli.load.command", "Load the server at URL with requests and measure it."),
    "packetdrill": (
        "gossamer.cli.packetdrill",
        "Play packetdrill SCRIPTS against the functional TCP, in virtual time.",
    ),
    "password": ("gossamer.cli.password", "Write the line of NAME for a file of passwords (web.auth)."),
    "reload": ("gossamer.cli.running", "Replace the workers by ones of the configuration as it is now."),
    "rootless": (
        "gossamer.cli.rootless",
        "Run COMMAND, or a shell, in a network of its own where you are root.",
    ),
    "serve": (
        "gossamer.cli.serve",
        "Serve TARGET: a folder, or module:attribute naming an application or a handler.",
    ),
    "sim": ("gossamer.cli.sim.command", "Run whole connections in virtual time over a simulated bottleneck."),
    "status": ("gossamer.cli.status", "Show a running server and its workers."),
    "stop": ("gossamer.cli.running", "Drain a server and end it."),
    "top": ("gossamer.cli.top", "Watch the workers of a running server; q ends."),
    "upgrade": (
        "gossamer.cli.running",
        "Replace a running server by the version that is installed now.",
    ),
    "worker": ("gossamer.cli.running", "List the workers, replace them, or have more or fewer."),
}
"""The module that has each command, under the command's name, and its line in the help."""

STALE: Final = "gossamer.ffi"
"""What cannot be imported where the C modules are of other sources (`gossamer.ffi.built`)."""

INTERRUPTED: Final = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""

EXIT_CODES: Final = "\b\nExit codes:\n" + "\n".join(
    f"  {code:d}  {meaning}" for code, meaning in MEANINGS.items()
)


NO_COMMAND: Final[type[click.UsageError] | tuple[()]] = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""What a group without a command raises, to show its help; before click 8.2 it prints it and ends with 0."""


class Group(click.Group):
    """A group whose commands are imported when somebody asks for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        try:
            command = getattr(importlib.import_module(module), cmd_name)
        except ModuleNotFoundError as error:
            raise CommandError(f"{cmd_name}: this installation lacks the module {error.name}") from error
        except ImportError as error:
            if error.name != STALE:
                raise
            raise CommandError(f"{cmd_name}: {error}") from error
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, without any of them being imported."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _print_version(context: click.Context, _option: click.Parameter, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        from importlib.metadata import version  # A good part of a start, and of use here alone.

        click.echo(f"gossamer, version {version('gossamer')}, {native.running()}")
        context.exit()


@click.group(
    cls=Group,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
    help="Show the version, and whether the core is native.",
)  # fmt: skip
def gossamer() -> None:
    """A sharded server on kernel sockets, or on its own functional TCP."""


def _usage_line(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "gossamer"
    return f"{error.format_message().rstrip('.')}; see {command} --help"


def _run() -> tuple[int, str]:
    """Run the command that the arguments name: its exit code, and a line for the user."""
    try:
        # Where it is not standalone, click gives back the code of an early end such as --help's.
        code = gossamer(prog_name="gossamer", standalone_mode=False)
    except click.UsageError as error:
        is_help = isinstance(error, NO_COMMAND)
        return ExitCode.USAGE, error.format_message() if is_help else f"gossamer: {_usage_line(error)}"
    except click.Abort:
        return INTERRUPTED, "gossamer: interrupted"
    except CommandError as error:
        return error.exit_code, f"gossamer: {error}"
    return code if isinstance(code, int) else ExitCode.OK, ""


def main() -> None:
    """The console script."""
    hold_standard_descriptors()
    code, line = _run()
    if line:
        # Where nothing can be written any more, the exit code still says it.
        with contextlib.suppress(OSError):
            click.echo(printable(line), err=True)
    raise SystemExit(int(code))
