"""What a worker serves: a folder, or a handler of the user's.

Owns the choice between them. Both end up as one record of functions, so the threads of the worker know no difference.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from gossamer.shards.config import Config
from gossamer.shards.serving import Serve
from gossamer.shards.stack import Statistics
from gossamer.shards.web.site import StaticSite
from gossamer.shards.workerplan import NO_DESCRIPTOR

IDLE_US = 3_600_000_000


class Application(msgspec.Struct, frozen=True):
    """What to do with a connection, and with the server's end."""

    serve: Serve
    statistics: Statistics
    drain: Callable[[], None]
    run_beside: Callable[[], Coroutine[Any, Any, None]]
    """A thread of its own, such as the one that writes the access log."""
    close: Callable[[], None]


async def _nothing() -> None:
    return None


def _folder(config: Config, root_fd: int) -> Application:
    site = StaticSite(root_fd, config.web)
    return Application(site.serve, site.statistics, site.drain, _nothing, lambda: None)


def load_application(config: Config, root_fd: int) -> Application:
    """The application of a configuration. Raises: ConfigError."""
    if root_fd != NO_DESCRIPTOR:
        return _folder(config, root_fd)
    raise NotImplementedError
