"""gossamer serve: from options to a running supervisor.

Owns the options, and what is printed at start. Every option is also GOSSAMER_<OPTION> in the environment and
a key of config.toml; precedence is option > environment > config.toml > default.
"""

import contextlib
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from gossamer.cli.accompanying import accompanying
from gossamer.cli.print_config import comments_of, format_config
from gossamer.core.io.signals import SignalSocket
from gossamer.core.printable import printable
from gossamer.shards.admin.server import url_of
from gossamer.shards.configuration.config import Config
from gossamer.shards.configuration.settings import (
    Setting,
    combine,
    read_config_file,
    setting_of_assignment,
    settings_of_environment,
)
from gossamer.shards.confinement.confinement import user_name, worker_identity
from gossamer.shards.exitcode import CannotStartError, ConfigError
from gossamer.shards.firewall.rules import evaluations_max
from gossamer.shards.log.logs import about, configure_logging
from gossamer.shards.log.outlet import Outlets
from gossamer.shards.machine.inherited import set_what_was_inherited, unblock_signals
from gossamer.shards.opening.content import check_files, target_kind
from gossamer.shards.opening.given import activated
from gossamer.shards.plan.machine_facts import require_machine
from gossamer.shards.supervisor.loop import SIGNALS, Supervisor
from gossamer.shards.supervisor.startup import ServerRun
from gossamer.shards.supervisor.takeover import inherited, orphaned_directory, try_out, upgraded
from gossamer.shards.supervisor.watching import require_watching, start_watching

log = logging.getLogger("gossamer.supervisor")

OPTION_KEYS: Final[dict[str, tuple[str, str]]] = {
    "target": ("server", "target"),
    "host": ("server", "host"),
    "port": ("server", "port"),
    "uds": ("server", "uds"),
    "fd": ("server", "fd"),
    "workers": ("server", "workers"),
    "stack": ("server", "stack"),
    "user": ("server", "user"),
    "run_dir": ("server", "run_dir"),
    "backlog": ("server", "backlog"),
    "limit_concurrency": ("server", "limit_concurrency"),
    "timeout_graceful_shutdown": ("server", "timeout_graceful_shutdown"),
    "timeout_keep_alive": ("web", "keep_alive_timeout"),
    "interface": ("application", "interface"),
    "factory": ("application", "factory"),
    "root_path": ("application", "root_path"),
    "lifespan": ("application", "lifespan"),
    "reload": ("application", "reload"),
    "limit_max_requests": ("application", "limit_max_requests"),
    "limit_max_requests_jitter": ("application", "limit_max_requests_jitter"),
    "timeout_request": ("application", "timeout_request"),
    "threads": ("application", "threads"),
    "autoindex": ("web", "autoindex"),
    "clean_urls": ("web", "clean_urls"),
    "fallback": ("web", "fallback"),
    "precompressed": ("web", "precompressed"),
    "compress": ("web", "compress"),
    "ssl_certfile": ("tls", "certfile"),
    "ssl_keyfile": ("tls", "keyfile"),
    "ssl_ca_certs": ("tls", "ca_certs"),
    "ssl_cert_reqs": ("tls", "cert_reqs"),
    "ssl_ciphers": ("tls", "ciphers"),
    "queue_first": ("nfqueue", "queue_first"),
    "nfqueue_backend": ("nfqueue", "backend"),
    "log_level": ("log", "level"),
    "log_format": ("log", "format"),
    "access_log": ("log", "access_log"),
    "access_log_file": ("log", "access_log_file"),
    "access_log_format": ("log", "access_log_format"),
    "admin": ("admin", "address"),
}
"""Which key of config.toml an option sets."""

EVERY_ADDRESS: Final = {
    "0.0.0.0": " and on every other IPv4 address of this machine",
    "::": " and on every other IPv4 and IPv6 address of this machine",
}
"""What an address that is none of a host means."""

EPILOG: Final = """\b
Examples:
  gossamer serve www
  gossamer serve www --port 8080 --workers 2 --stack nfqueue
  gossamer serve package.module:app --workers 4
  gossamer serve www --port 8443 --ssl-certfile fullchain.pem --ssl-keyfile privkey.pem
  gossamer serve package.module:handler --config config.toml --set tcp.nodelay=false
"""


def _option(name: str, help_text: str, *declarations: str, is_switch: bool = False) -> Callable[[Any], Any]:
    variable = "GOSSAMER_" + name.upper()
    option = f"--{name.replace('_', '-')}"
    if is_switch:
        return click.option(
            f"{option}/--no-{option[2:]}", name, default=None, help=help_text, envvar=variable
        )
    return click.option(option, *declarations, name, help=help_text, envvar=variable)


def _origin(context: click.Context, name: str) -> str:
    from_environment = context.get_parameter_source(name) is ParameterSource.ENVIRONMENT
    if from_environment:
        return "GOSSAMER_" + name.upper()
    return "TARGET" if name == "target" else f"--{name.replace('_', '-')}"


def option_settings(context: click.Context) -> list[Setting]:
    """The settings that options and their variables give; the environment's first, so that options win."""
    given = [name for name in OPTION_KEYS if context.params.get(name) is not None]
    settings = [Setting(*OPTION_KEYS[name], context.params[name], _origin(context, name)) for name in given]
    return sorted(settings, key=lambda setting: not setting.origin.startswith("GOSSAMER_"))


def config_loader(context: click.Context) -> Callable[[], Config]:
    """A function that puts the configuration together, now and at each reload."""
    path: str | None = context.params["config"]
    of_options = option_settings(context)
    from_environment = [each for each in of_options if each.origin.startswith("GOSSAMER_")]
    from_options = [each for each in of_options if not each.origin.startswith("GOSSAMER_")]
    assigned = [setting_of_assignment(text) for text in context.params["set"]]

    def load() -> Config:
        of_file = read_config_file(Path(path)) if path is not None else []
        of_environment = settings_of_environment(os.environ)
        config = combine([*of_file, *of_environment, *from_environment, *assigned, *from_options])
        return activated(config, os.environ, os.getpid())

    return load


def announcement(run: ServerRun) -> bytes:
    """What is served, on which stack and why, where, and how to stop it."""
    lines = "".join(f"{line}\n" for line in _start_lines(run))
    is_styled = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    return (lines if is_styled else click.unstyle(lines)).encode()


def announce(run: ServerRun, outlets: Outlets) -> None:
    """Say that the server is ready: to people, or to programs as events of the log."""
    if run.config.log.format == "text":
        outlets.error.put(announcement(run))
        return
    told = about(
        "server_ready", pid=os.getpid(), url=run.url, stack=run.plan.stack, why=run.plan.reason,
        workers=len(run.plan.shards), admin=url_of(run.admin), run_dir=os.fspath(run.directory.path),
    )  # fmt: skip
    log.info("ready: serves %s on %s", run.config.server.target, run.url, extra=told)
    for warning in run.warnings:
        log.warning("%s", warning)


def _start_lines(run: ServerRun) -> Iterator[str]:
    config, plan = run.config, run.plan
    names = {"kernel": "kernel sockets", "nfqueue": "the functional TCP (NFQUEUE)"}
    what = "folder" if target_kind(config.server.target) == "folder" else "handler"
    yield (
        f"{click.style('gossamer', bold=True)} serves the {what} {printable(config.server.target)} "
        f"on {click.style(run.url, bold=True)}{EVERY_ADDRESS.get(run.opened.host, '')}"
    )
    yield f"  stack     {names[plan.stack]}: {plan.reason}"
    where = f", {queues_in_words(plan.queues)}" if plan.queues else ""
    user = user_name(config) if run.confinement.identity else "this user"
    yield f"  workers   {len(plan.shards)}, as {user}{where}"
    directory = os.fspath(run.directory.path)
    yield f"  run-dir   {printable(directory)}"
    if run.admin is not None:
        yield f"  admin     {printable(url_of(run.admin))}"
    yield f"  stop      Ctrl-C, or: gossamer stop --run-dir {shell_word(directory)}"
    for warning in run.warnings:
        yield f"  {click.style('warning', fg='yellow')}   {printable(warning)}"


def queues_in_words(queues: tuple[int, ...]) -> str:
    """How many queues there are, and what that costs each packet."""
    first, last, count = queues[0], queues[-1], len(queues)
    numbers = f"{first} to {last}" if last - first == count - 1 > 0 else ", ".join(map(str, queues))
    return f"queues {numbers}, at most {evaluations_max(count)} rules a packet"


def shell_word(path: str) -> str:
    """A path as it can be typed into a shell: octets that are no UTF-8 in the quotes of bash(1), QUOTING."""
    if printable(path) == path:
        return shlex.quote(path)
    quoted = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(quoted)}'"


@click.command(epilog=EPILOG)
@click.argument("target", required=False, envvar="GOSSAMER_TARGET")
@click.option("--config", "config", envvar="GOSSAMER_CONFIG", metavar="FILE", help="Read this config.toml.")
@_option("host", "Address to listen on; 0.0.0.0 or :: is any.  [127.0.0.1]")
@_option("port", "Port to listen on; 0 is any free one.  [8080]")
@_option("uds", "Listen on this Unix socket instead of a port.")
@_option("fd", "Serve the listening socket that the server was started with as this descriptor.")
@_option("workers", "Worker processes, or auto: one for each CPU that there is time for.  [auto]", "-w")
@_option("stack", "auto, kernel or nfqueue; auto takes nfqueue where the machine allows it.  [auto]")
@_option("user", "Whom workers become when started by root; auto is nobody where possible.  [auto]")
@_option("run_dir", "Where state file and control socket live.  [/run/gossamer/PORT]")
@_option("backlog", "Connections that wait to be accepted, for each worker.  [1024]")
@_option("limit_concurrency", "Open connections of a worker; beyond it the next ones wait.  [10000]")
@_option("timeout_keep_alive", "Close an idle connection after this long.  [75s]")
@_option("timeout_graceful_shutdown", "How long SIGTERM lets requests finish.  [10s]")
@_option("interface", "What module:attribute is: auto, native, asgi or wsgi.  [auto]")
@_option("factory", "Have it make the application: it is a function without arguments.", is_switch=True)
@_option("root_path", "Where the application stands, which a proxy takes off each path.")
@_option("lifespan", "Whether an ASGI application is told of start and end: auto, on or off.  [auto]")
@_option("threads", "Calls of a WSGI application at once in a worker.  [4]")
@_option("reload", "Reload whenever a Python source here has changed: for development.", is_switch=True)
@_option("timeout_request", "Give up on an application that is silent for so long: 504.  [never]")
@_option("limit_max_requests", "Replace a worker after so many requests of an application.  [never]")
@_option("limit_max_requests_jitter", "And up to so many more, by chance.  [0]")
@_option("autoindex", "Answer a folder that has no index.html with a list.", is_switch=True)
@_option("clean_urls", "Answer /about by about.html.", is_switch=True)
@_option("fallback", "Answer what is not there, and has no dot, by this file.")
@_option("precompressed", "Answer with NAME.br, .zst or .gz beside a file.", is_switch=True)
@_option("compress", "Compress text for clients that take it.", is_switch=True)
@_option("ssl_certfile", "Speak TLS, with the certificate in this PEM file.")
@_option("ssl_keyfile", "Its key, where it does not stand in the same file.")
@_option("ssl_ca_certs", "Authorities whose certificates of clients are taken: a PEM file.")
@_option("ssl_cert_reqs", "Of clients: none, optional or required.  [none]")
@_option("ssl_ciphers", "Ciphers of TLS 1.2, by OpenSSL's names.")
@_option("nfqueue_backend", "netlink (ours) or netfilterqueue (the NetfilterQueue package).  [netlink]")
@_option("queue_first", "First NFQUEUE number to try.  [100]")
@_option("log_level", "critical, error, warning, info or debug.  [info]")
@_option("log_format", "Of those lines: text, or json.  [text]")
@_option("access_log", "Write a line for each response.", is_switch=True)
@_option("access_log_file", "Where to: a file, or fd:N.  [standard output]")
@_option("access_log_format", "common, combined, json, or a line with names in braces.  [common]")
@_option("admin", "Where metrics are told: an address with its port, or unix.  [nowhere]")
@click.option("--set", "set", multiple=True, metavar="SECTION.KEY=VALUE", help="Set any key of config.toml.")
@click.option("--adopt", "adopt", metavar="RUN_DIR", hidden=True)
@click.option("--trial", "trial", is_flag=True, hidden=True)
@click.option("--check-config", is_flag=True, help="Check the configuration and end.")
@click.option("--print-config", is_flag=True, help="Print the configuration in effect and end.")
@click.pass_context
def serve(
    context: click.Context,
    /,
    check_config: bool,
    print_config: bool,
    adopt: str | None,
    trial: bool,
    **_options: Any,
) -> None:
    """Serve TARGET: a folder, or module:attribute naming an application or a handler.

    Times may be written 30s or 250ms (a plain number is seconds), sizes 64KiB.
    """
    load = config_loader(context)
    config = load()
    if print_config:
        comments = comments_of(accompanying("config.toml").read_text())
        click.echo(format_config(config, comments), nl=False)
    if check_config:
        target_kind(config.server.target)
        check_files(config)
        worker_identity(config)
        click.echo("the configuration is good", err=print_config)
    if check_config or print_config:
        return
    if trial:
        try_upgrade(config, adopt)
        return
    try:
        run_server(config, load, adopt)
    except CannotStartError as error:
        raise CannotStartError(f"{error} (gossamer doctor: all that a server needs)") from error


def try_upgrade(config: Config, adopt: str | None) -> None:
    """See whether this version would come up in the place of the one that runs; nothing of that is changed.

    Raises: CommandError.
    """
    if adopt is None:
        raise ConfigError("--trial: found no --adopt beside it; allowed: what gossamer upgrade starts")
    configure_logging(config.log.level, "trial", config.log.format)
    require_machine()
    set_what_was_inherited()
    config, estate, _ = upgraded(config, Path(adopt), is_adoption=False)
    # It is never closed: what it has is the running server's.
    run = ServerRun(config, estate)
    run.take_over()
    try_out(run)


def server_run(config: Config, adopt: str | None) -> ServerRun:
    """A server that is to be opened, or what another supervisor has left. Raises: CommandError."""
    if adopt is not None:
        config, estate, ignored = upgraded(config, Path(adopt), is_adoption=True)
        run = ServerRun(config, estate)
        run.warnings += ignored
        return run
    directory = orphaned_directory(config)
    if directory is None:
        return ServerRun(config)
    run = ServerRun(*inherited(config, directory))
    run.warnings.append(
        "the supervisor before this one is gone; its workers have gone on, are taken over and replaced"
    )
    return run


def run_server(config: Config, load: Callable[[], Config], adopt: str | None = None) -> None:
    """Run a supervisor until it ends. Raises: CommandError."""
    if config.application.reload:
        require_watching(config.application.reload_dirs)
    configure_logging(config.log.level, "supervisor", config.log.format)
    require_machine()
    set_what_was_inherited()
    # A signal that comes while rules are installed or removed waits until that is done.
    with contextlib.closing(SignalSocket(SIGNALS)) as signals, server_run(config, adopt) as run:
        unblock_signals()
        if run.estate is None:
            run.open()
        else:
            run.take_over()
            run.own_all()
        outlets = Outlets()
        outlets.take_over_log()
        try:
            with watching(config, run):
                Supervisor(run, signals, load, lambda: announce(run, outlets), outlets.close).run()
        finally:
            outlets.close()


@contextlib.contextmanager
def watching(config: Config, run: ServerRun) -> Iterator[None]:
    """In the block, a process watches the sources, where that is wanted."""
    own = config.application
    if not own.reload:
        yield
        return
    process = start_watching(run.directory.path, own.reload_dirs)
    try:
        yield
    finally:
        # Not SIGTERM: it has the supervisor's mask.
        process.kill()
        process.wait()
