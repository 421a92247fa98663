"""Pages made of the code: every command with its help, every key of the configuration, every exit code."""

import click

from gossamer.cli.main import gossamer
from gossamer.shards.exitcode import MEANINGS


def commands_page() -> str:
    """Each command's `--help`."""
    context = click.Context(gossamer, info_name="gossamer")
    parts = ["# Commands", "What `gossamer COMMAND --help` prints."]
    for path, command in _walk("gossamer", gossamer, context):
        parts += [f"## {path}", "```text", command.get_help(click.Context(command, info_name=path)), "```"]
    return "\n\n".join(parts[:2]) + "\n\n" + "\n".join(parts[2:]) + "\n"


def _walk(path: str, command: click.Command, context: click.Context) -> "list[tuple[str, click.Command]]":
    found = [(path, command)]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                found += _walk(f"{path} {name}", inner, context)
    return found


def configuration_page(text: str) -> str:
    """config.toml as it stands, which has every key with its default, its unit and what it is for."""
    said = "Every key with its default; a flag and `GOSSAMER_*` win over it: `gossamer serve --print-config`."
    return f"# Configuration\n\n{said}\n\n```toml\n{text}```\n"


def exit_codes_page() -> str:
    """What each command's exit code means."""
    rows = "\n".join(f"| {code:d} | {meaning} |" for code, meaning in MEANINGS.items())
    return f"# Exit codes\n\n| code | meaning |\n|---|---|\n{rows}\n"
