"""gossamer password: a line for a file of passwords (`web.auth`)."""

import os
import sys

import click

from gossamer.shards.exitcode import ConfigError
from gossamer.shards.web.passwords import password_line

SALT_BYTES = 16


@click.command(epilog="\b\nExample:\n  gossamer password ada >> users")
@click.argument("name")
def password(name: str) -> None:
    """Write the line of NAME for a file of passwords (web.auth).

    The password is asked for, or read from standard input where that is no terminal.
    """
    if sys.stdin.isatty():
        secret = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise ConfigError("password: found nothing; allowed: a password on standard input")
    try:
        click.echo(password_line(name, secret, os.urandom(SALT_BYTES)))
    except ValueError as error:
        raise ConfigError(f"NAME: {error}") from error
