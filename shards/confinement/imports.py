"""Where a worker looks for modules, and whether it still can once it has become another user.

Owns that the current folder has no part in it but for a handler, and comes last then: a file there may have
the name of a module of Python's, and may be anybody's. And the warning: all that a server needs is imported
before a worker becomes another user, and so is what a handler's module imports at its top; an import in a
function comes later. Python takes a folder that it may not read for an empty one: "No module named ..." is
all that is said then.

Source: the standard library's sys.path, PYTHONPATH and option -P.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gossamer.shards.configuration.config import Config
from gossamer.shards.confinement.confinement import StackName, find_unreadable, user_name
from gossamer.shards.letters.workerplan import Confinement
from gossamer.shards.web.application_name import is_application_name

OUR_FOLDER = os.fspath(Path(__file__).parent)
PATH_VARIABLE = "PYTHONPATH"


def environment_without_here(environment: Mapping[str, str]) -> dict[str, str]:
    """That environment for a Python that is to be started: an empty part of PYTHONPATH, as a shell easily
    leaves it behind, would be the current folder.
    """
    parts = environment.get(PATH_VARIABLE, "").split(os.pathsep)
    others = {name: value for name, value in environment.items() if name != PATH_VARIABLE}
    named = os.pathsep.join(part for part in parts if part)
    return others | ({PATH_VARIABLE: named} if named else {})


def _here() -> list[str]:
    """The current folder; none where it has been removed."""
    try:
        return [os.getcwd()]
    except FileNotFoundError:
        return []


def look_here_last() -> None:
    """Look for modules in the current folder too, where none of that name is found elsewhere."""
    sys.path += _here()


def import_folders(target: str) -> list[str]:
    """Where the workers of that handler look for modules, as far as it exists."""
    name = target.partition(":")[0].partition(".")[0]
    files = (name, f"{name}.py")
    here = [each for each in _here() if any(os.path.exists(os.path.join(each, file)) for file in files)]
    # Python puts the folder of the program first, in which no worker looks.
    ours = os.path.dirname(os.path.realpath(sys.argv[0]))
    found = [each for each in (*sys.path, OUR_FOLDER) if each and os.path.realpath(each) != ours]
    return [each for each in found + here if os.path.exists(each)]


def warn_of_imports(config: Config, confinement: Confinement, stack: StackName) -> list[str]:
    """A line where a handler is to run as a user who may not read what it may import; else none.

    Raises: CannotStartError when no child can be started to try it.
    """
    target = config.server.target
    if confinement.identity is None or not is_application_name(target):
        return []
    refused = find_unreadable(confinement, stack, import_folders(target))
    if not refused:
        return []
    line = (
        f"server.user: workers become {user_name(config)}, who may not read {refused}: what a handler "
        "imports later than at the top of its module fails; import it there, or name a user who may "
        "(server.user)"
    )
    return [line]
