"""gossamer rootless: a command in a network of its own, with root's rights over it, for an ordinary user."""

import os

import click

from gossamer.core.errors import what_failed
from gossamer.loadtest.rootless import RootlessError, enter
from gossamer.shards.exitcode import CannotStartError, CommandError

WAYS_OUT = (
    "this machine forbids user namespaces: sysctl kernel.unprivileged_userns_clone=1, "
    "user.max_user_namespaces=10000, kernel.apparmor_restrict_unprivileged_userns=0, the profile of a "
    "container; or sudo"
)


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="\b\nExamples:\n"
    "  gossamer rootless                                     # a shell\n"
    "  gossamer rootless -- gossamer serve www --stack nfqueue\n"
    "  gossamer rootless -- sh -c 'gossamer serve www & sleep 1; curl http://127.0.0.1:8080/; kill $!'",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def rootless(command: tuple[str, ...]) -> None:
    """Run COMMAND, or a shell, in a network of its own where you are root.

    Nothing there reaches another machine: it has loopback alone, /run is empty, and all of it is gone when
    the last process has ended. The functional TCP, network namespaces and iptables work there as for root.
    The exit code is that of COMMAND; 3 where the machine forbids it.
    """
    argv = list(command) or [os.environ.get("SHELL", "/bin/sh")]
    try:
        enter()
    except RootlessError as error:
        raise CannotStartError(f"rootless: {error}; {WAYS_OUT}") from error
    # Inside, whose run directories these are is not known.
    os.environ.pop("XDG_RUNTIME_DIR", None)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        raise CommandError(f"rootless: {argv[0]}: {what_failed(error)}") from error
