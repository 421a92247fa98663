"""When a listener finds no room in the process: descriptors or memory have run out.

The connection stays in the kernel's queue, and asking again at once would spin, so whoever listens rests.

Source: accept(2).
"""

import errno
from typing import Final

NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
ACCEPT_PAUSE_US: Final = 100_000
"""How long a listener rests."""
