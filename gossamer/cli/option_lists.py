"""Lists of options: what several commands share, or what belongs together within one.

Owns how a list becomes a decorator, and the options that more than one command has.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Option(Protocol):
    """A decorator that adds options to a command."""

    def __call__(self, command: F, /) -> F:
        """The command with them."""


json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def listed(*options: Option) -> Option:
    """One decorator for all of them; help shows them in their order."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
