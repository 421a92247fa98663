"""What is public, a line each: what docs/versions.md promises to keep, as it is now.

    make changelog, or before the first release: .venv/bin/python -m tests.surface > tests/public_surface.txt

Names of the front modules with the names of their parameters, members of their classes, commands and options,
keys of the configuration, exit codes. Types and defaults are not in it.
"""

import enum
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import click

from gossamer.cli.main import COMMANDS, gossamer
from gossamer.shards.configuration.config import SECTIONS, fields_of
from gossamer.shards.exitcode import MEANINGS

from .docs.test_front_door import FRONTS


def surface() -> list[str]:
    """All lines, sorted."""
    named = (line for front in FRONTS for name in front.__all__ for line in of_name(front, name))
    return sorted({*named, *commands(), *keys(), *(f"exit {code:d}" for code in MEANINGS)})


def of_name(front: ModuleType, name: str) -> Iterator[str]:
    """A public name, and what is public below it."""
    value, full = getattr(front, name), f"{front.__name__}.{name}"
    yield full + parameters(value)
    if not inspect.isclass(value):
        return
    if issubclass(value, enum.Enum):
        yield from (f"{full}.{member}" for member in value.__members__)
    for owner in inspect.getmro(value):
        if owner.__module__.startswith("gossamer"):
            for member, found in vars(owner).items():
                if not member.startswith("_") and not isinstance(found, enum.Enum):
                    yield f"{full}.{member}{parameters(found)}"


def parameters(value: Any) -> str:
    """The names of a function's parameters, or of a class's own; "" where there are none to be named."""
    value = getattr(value, "__func__", value)
    if not (inspect.isfunction(value) or (inspect.isclass(value) and is_made_here(value))):
        return ""
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return f"({', '.join(stars.get(each.kind, '') + each.name for each in found)})"


def is_made_here(kind: type) -> bool:
    """Whether it is made by parameters that this project names, and not by Python's."""
    return kind.__module__.startswith("gossamer") and not issubclass(kind, (enum.Enum, BaseException))


def commands() -> Iterator[str]:
    """Each command with its options."""
    context = click.Context(gossamer)
    for name in COMMANDS:
        command = gossamer.get_command(context, name)
        assert command is not None
        yield from of_command(f"gossamer {name}", command)


def of_command(words: str, command: click.Command) -> Iterator[str]:
    """Its options, and those of the commands below it."""
    yield words
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from (f"{words} {each}" for each in (*parameter.opts, *parameter.secondary_opts))
    for name, below in command.commands.items() if isinstance(command, click.Group) else ():
        yield from of_command(f"{words} {name}", below)


def keys() -> Iterator[str]:
    """Each key of the configuration."""
    for section in SECTIONS:
        yield from (f"[{section}] {each}" for each in fields_of(section))


if __name__ == "__main__":
    print(*surface(), sep="\n")
