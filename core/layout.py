"""The layout of the functional TCP's connections, as one process writes them for another (`core.tcp.codec`).

Owns its number, which a supervisor knows that loads no TCP. A field that is added behind all others, with a
default, leaves the layout what it was: who knows it reads the default, who does not passes it by. Any other
change of a record is another layout, which an upgrade in place refuses (`shards.supervisor.takeover`).
"""

from typing import Final

CONNECTION_LAYOUT: Final = 1
