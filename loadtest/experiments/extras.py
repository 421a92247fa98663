"""What an experiment compares with and a plain installation lacks: told before anything is measured."""

import importlib

from gossamer.shards.exitcode import CannotStartError


def require_trio(bench: str) -> None:
    """Raises: CannotStartError, with the extra that brings it."""
    try:
        importlib.import_module("trio")
    except ImportError as error:
        raise CannotStartError(
            f"bench {bench}: trio is not installed; `pip install 'gossamer[bench]'` installs it"
        ) from error
