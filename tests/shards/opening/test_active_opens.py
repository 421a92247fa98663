"""The lock under which queues and ports are chosen."""

import subprocess
import sys

from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.opening.active_opens import allocation_lock

TRY = (
    "from gossamer.shards.opening.active_opens import allocation_lock\n"
    "from gossamer.shards.exitcode import CannotStartError\n"
    "try:\n"
    "    with allocation_lock(0.1):\n"
    "        print('had it')\n"
    "except CannotStartError as error:\n"
    "    print(error)"
)
PRIVATE_RUN = "mount -t tmpfs none /run && mount -o remount,ro /run"
"""Nothing of /run is seen by others, and nothing can be written there."""


def attempt(*prefix: str) -> str:
    argv = [*prefix, sys.executable, "-c", TRY]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def test_allocation_lock__held__excludes_a_process_that_sees_no_run_of_ours(namespace: Namespace) -> None:
    """In a network of its own: in the one that tests share, a server of another test may have it."""
    elsewhere = ("unshare", "--mount", "sh", "-c", f'{PRIVATE_RUN} && exec "$@"', "sh")
    with namespace.entered():
        with allocation_lock():
            assert "lslocks shows which one it is" in attempt()
            assert "lslocks shows which one it is" in attempt(*elsewhere)
        assert attempt(*elsewhere) == "had it\n"


def test_allocation_lock__of_another_network_namespace__is_another(namespace: Namespace) -> None:
    with allocation_lock():
        assert attempt(*namespace.command([])) == "had it\n"
        with namespace.entered(), allocation_lock(0):
            pass
