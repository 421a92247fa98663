"""What a TARGET that names a native application looks like: `module:attribute`. Pure; loads nothing."""


def is_application_name(target: str) -> bool:
    """Whether a TARGET is meant as `module:attribute` (otherwise it is a folder)."""
    module, colon, attribute = target.partition(":")
    return bool(colon) and is_dotted_name(module) and is_dotted_name(attribute)


def is_dotted_name(text: str) -> bool:
    """Whether it is Python identifiers joined by dots."""
    return all(part.isidentifier() for part in text.split("."))
