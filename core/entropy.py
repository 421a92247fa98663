"""The one door to randomness.

The pure core is given random numbers inside its events; whoever builds such an event takes them from an
`Entropy`. A test or a simulator hands in a seeded one and gets the same run again.
"""

import os
from collections.abc import Callable

Entropy = Callable[[int], bytes]
"""Returns n random bytes."""


def system_entropy(n: int) -> bytes:
    """n bytes from the kernel's generator."""
    return os.urandom(n)
