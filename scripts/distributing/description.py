"""README as an index page shows it: links into the repository would lead nowhere there. Pure."""

import re

LINK = re.compile(r"(\]\()(?!#)(?![a-z]+:)([^()\s]+\))")
BLOCK = re.compile(r"(^```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def described(readme: str, files: str) -> str:
    """README with links that begin with `files`, the address of the repository's files at this version."""
    parts = BLOCK.split(readme)
    return "".join(
        part if index % 2 else LINK.sub(rf"\g<1>{files}/\g<2>", part) for index, part in enumerate(parts)
    )
