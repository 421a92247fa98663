"""What a function is called in logs and dumps."""

from functools import partial
from typing import Final

PARTIALS_MAX: Final = 8
"""So many partials around one function are looked through."""


def name_of(function: object) -> str:
    """The name of a function: of a `functools.partial` that of the function in it, of an object that is
    called that of its class."""
    for _ in range(PARTIALS_MAX):
        if not isinstance(function, partial):
            break
        function = function.func
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    return name
