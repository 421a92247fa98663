"""gossamer examples: programs to begin from, and what they need, written into a folder."""

import shutil
from pathlib import Path
from typing import Final

import click

from gossamer.cli.accompanying import accompanying
from gossamer.shards.exitcode import ConfigError

NAMES: Final = ("config.toml", "deploy", "examples", "www", "packets", "locustfile.py", "engineuser.py")


@click.command(
    epilog="\b\nExample:\n  gossamer examples try\n  cd try && gossamer serve examples.adder:handler"
)
@click.argument("folder", type=click.Path(path_type=Path))
def examples(folder: Path) -> None:
    """Write programs to begin from, scripts of packets and a commented config.toml into FOLDER.

    \b
    examples/      servers, clients, applications, the TCP without a network: examples/README.md
    www/           a small site
    packets/       scripts for gossamer packetdrill
    deploy/        units of systemd, a Containerfile, files for Kubernetes, HAProxy and Grafana
    config.toml    every key with its default and what it does
    locustfile.py  a scenario for Locust; engineuser.py: gossamer load as its user
    """
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise ConfigError(f"FOLDER: found {folder}, which is not empty; allowed: a new or an empty folder")
    for name in NAMES:
        source, target = accompanying(name), folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
        click.echo(target)
