"""The command line without a server."""

import subprocess
from pathlib import Path

import click
import pytest

from gossamer.cli import main
from gossamer.shards.exitcode import MEANINGS

from ..shards.conftest import GOSSAMER
from .inside import gossamer


def test_installed_command__is_what_is_tried_here() -> None:
    for argv in (["--help"], ["serve", "--port", "x"], ["dance"]):
        done = subprocess.run(
            [GOSSAMER, *argv],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={"PATH": "/usr/bin:/bin", "COLUMNS": "120", "HOME": "/"},
        )
        assert (done.returncode, done.stdout, done.stderr) == gossamer(*argv)


def test_help__names_commands_and_exit_codes() -> None:
    text = gossamer("--help").stdout
    for command in ("serve", "status", "stop", "reload", "worker", "firewall", "load"):
        assert f"\n  {command} " in text
    for code, meaning in MEANINGS.items():
        assert f"{code:d}  {meaning}" in text


@pytest.mark.parametrize(
    "argv",
    [
        ["serve"],
        ["status"],
        ["stop"],
        ["reload"],
        ["worker", "list"],
        ["worker", "restart"],
        ["firewall", "show"],
        ["firewall", "up"],
        ["firewall", "down"],
        ["password"],
        ["top"],
        ["capture"],
    ],
)
def test_help__of_every_command__has_an_example(argv: list[str]) -> None:
    done = gossamer(*argv, "--help")
    assert done.returncode == 0
    assert f"gossamer {' '.join(argv)}" in done.stdout.split("Example", 1)[1]


def test_check_config__precedence__flag_over_environment_over_file(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[server]\nport = 1\nhost = '127.0.0.3'\nbacklog = 7\n")
    printed = gossamer(
        *("serve", "--config", str(config), "--port", "3", "--print-config"),
        GOSSAMER_PORT="2",
        GOSSAMER_HOST="127.0.0.2",
        GOSSAMER_SERVER__HOST="127.0.0.9",
    ).stdout
    assert "port = 3\n" in printed
    assert 'host = "127.0.0.2"\n' in printed
    assert "backlog = 7\n" in printed
    assert 'user = "auto"\n' in printed


def test_check_config__good__says_so(tmp_path: Path) -> None:
    done = gossamer("serve", str(tmp_path), "--check-config")
    assert (done.returncode, done.stdout) == (0, "the configuration is good\n")


@pytest.mark.parametrize(
    ("argv", "environment", "line"),
    [
        (["--port", "x"], {}, "gossamer: --port: found 'x'; allowed: an integer from 0 to 65535"),
        (
            [],
            {"GOSSAMER_PORT": "x"},
            "gossamer: GOSSAMER_PORT: found 'x'; allowed: an integer from 0 to 65535",
        ),
        ([], {"GOSSAMER_SERVER__PORT": "x"}, "gossamer: GOSSAMER_SERVER__PORT: found 'x'; allowed"),
        (["--config", "/none.toml"], {}, "gossamer: --config /none.toml: No such file or directory"),
        (
            ["--host", "no.such.host.invalid"],
            {},
            "gossamer: server.host: found 'no.such.host.invalid'; allowed",
        ),
        (["--stack", "x"], {}, "gossamer: --stack: found 'x'; allowed: 'auto', 'kernel', 'nfqueue'"),
    ],
)
def test_serve__wrong_value__one_line_and_exit_code_2(
    argv: list[str], environment: dict[str, str], line: str
) -> None:
    done = gossamer("serve", "/tmp", *argv, **environment)
    assert done.returncode == 2
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_commands__no_server__exit_code_5(tmp_path: Path) -> None:
    for argv in (["status"], ["stop"], ["reload"], ["worker", "list"], ["worker", "restart", "0"]):
        done = gossamer(*argv, "--run-dir", str(tmp_path))
        assert (done.returncode, done.stderr) == (
            5,
            f"gossamer: --run-dir {tmp_path}: no server runs there\n",
        )


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["dance"], "gossamer: No such command 'dance'; see gossamer --help\n"),
        (
            ["serve", "/tmp", "more"],
            "gossamer: Got unexpected extra argument (more); see gossamer serve --help\n",
        ),
        (["load"], "gossamer: URL: missing; write it as http[s]://HOST[:PORT]/PATH\n"),
    ],
)
def test_wrong_usage__one_line_and_exit_code_2(argv: list[str], line: str) -> None:
    done = gossamer(*argv)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


@pytest.mark.parametrize("argv", [[], ["worker"], ["firewall"]])
def test_no_command__its_help_and_no_traceback(argv: list[str]) -> None:
    done = gossamer(*argv)
    assert (done.stdout + done.stderr).startswith(f"Usage: {' '.join(['gossamer', *argv])} ")
    assert "Traceback" not in done.stderr


def test_empty_target__is_no_folder() -> None:
    done = gossamer("serve", "", "--check-config")
    assert (done.returncode, done.stderr.split(";")[0]) == (2, "gossamer: TARGET: found ''")


def test_no_iptables__firewall_says_so_and_claims_nothing() -> None:
    done = gossamer("firewall", "show", PATH="/nowhere")
    assert done.returncode == 3
    assert "firewall: it needs" in done.stderr


@pytest.mark.parametrize("timeout", ["-1", "nan", "never"])
def test_stop__timeout_that_is_none__exit_code_2(timeout: str) -> None:
    done = gossamer("stop", "--timeout", timeout)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "allowed: " in done.stderr


def test_commands__listed_as_each_says_of_itself() -> None:
    """The list is made without loading them."""
    context = click.Context(main.gossamer)
    for name, (_, line) in main.COMMANDS.items():
        command = main.gossamer.get_command(context, name)
        assert command is not None
        assert line == command.get_short_help_str(200)


def test_check_config__files_of_the_site__named_with_what_is_wrong(tmp_path: Path) -> None:
    for setting, said in (
        (f'web.sites={{"a.example" = "{tmp_path}/absent"}}', "web.sites: found '"),
        (f'web.auth={{"/" = "{tmp_path}/absent"}}', "web.auth: "),
    ):
        done = gossamer("serve", str(tmp_path), "--check-config", "--set", setting)
        assert done.returncode == 2
        assert done.stderr.startswith(f"gossamer: {said}{tmp_path}/absent")
        assert done.stderr.count("\n") == 1
