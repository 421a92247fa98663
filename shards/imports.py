"""Whether a worker can still import modules once it has become another user.

Owns where modules are looked for, and the warning. All that a server needs is imported before that, and so is
what a handler's module imports at its top; an import in a function comes later. Python takes a folder that it
may not read for an empty one: "No module named ..." is all that is said then.
"""

import os
import sys
from pathlib import Path

from gossamer.shards.config import Config
from gossamer.shards.confinement import StackName, find_unreadable, user_name
from gossamer.shards.web.application import is_application_name
from gossamer.shards.workerplan import Confinement

OUR_FOLDER = os.fspath(Path(__file__).parent)


def import_folders(target: str) -> list[str]:
    """Where the workers of that handler look for modules, as far as it exists."""
    name = target.partition(":")[0].partition(".")[0]
    here = os.getcwd()
    is_here = any(os.path.exists(os.path.join(here, each)) for each in (name, f"{name}.py"))
    # Python puts the folder of the program first, in which no worker looks.
    ours = os.path.dirname(os.path.realpath(sys.argv[0]))
    found = [each for each in (*sys.path, OUR_FOLDER) if each and os.path.realpath(each) != ours]
    return [each for each in ([here] if is_here else []) + found if os.path.exists(each)]


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
