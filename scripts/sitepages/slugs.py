"""The anchors of headings, as pages of the repository name them."""

import re


def slug(title: str) -> str:
    """Of a heading: its words in small letters, with hyphens between them."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
