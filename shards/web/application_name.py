"""What a TARGET that names an application looks like, `module:attribute`, and what it may be. Pure; loads
nothing."""

from typing import Literal

Interface = Literal["native", "asgi", "wsgi"]
"""How an application is called."""
Wanted = Literal["auto", "native", "asgi", "wsgi"]
"""What somebody says that it is; "auto" has it found out."""


def is_application_name(target: str) -> bool:
    """Whether a TARGET is meant as `module:attribute` (otherwise it is a folder)."""
    module, colon, attribute = target.partition(":")
    return bool(colon) and is_dotted_name(module) and is_dotted_name(attribute)


def is_dotted_name(text: str) -> bool:
    """Whether it is Python identifiers joined by dots."""
    return all(part.isidentifier() for part in text.split("."))
