"""The dashboard: one page without anything from elsewhere, and the policy that holds it to that.

Owns how the page is read, and its Content-Security-Policy. The page asks for /status each second.

Source: Content Security Policy Level 3, 2.3.1 (hashes), 6.
"""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).with_name("dashboard.html")
INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def dashboard() -> str:
    """The page."""
    return PAGE.read_text("utf-8")


@cache
def policy() -> str:
    """What the page may do: run the script and have the style that stand in it, and ask its own server."""
    sources = {
        name: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for name, text in INLINE.findall(dashboard())
    }
    return (
        f"default-src 'none'; script-src {sources['script']}; style-src {sources['style']}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
