"""`#ifdef NAME`, `#ifndef NAME`, `#else`, `#endif`: lines of a script that are played or not.

Owns nothing else of the language. Lines that are not played become empty, so that all others keep their
numbers.

Source: the C preprocessor's conditionals, which the callers of the tool run scripts through.
"""

import re
from collections.abc import Mapping
from typing import Final

from gossamer.core.packetdrill.errors import ScriptError

DIRECTIVE: Final = re.compile(r"^[ \t]*#[ \t]*(ifdef|ifndef|else|endif|if|elif)\b[ \t]*(\w*)")
CODE: Final = re.compile(r"%\{.*?\}%", re.DOTALL)
"""Where a line that begins with # is a comment of the code, whatever word follows."""
DEPTH_MAX: Final = 32
DEFINE: Final = re.compile(r"^[ \t]*--(?:define|D)=(\w+)", re.MULTILINE)


def played(text: str, script: str, definitions: Mapping[str, str]) -> str:
    """The script without the lines of branches that are not taken. Raises: ScriptError."""
    if "#" not in text:
        return text
    names = {*definitions, *DEFINE.findall(text)}
    branches: list[tuple[int, bool]] = []
    """Of each conditional that is open: its line, and whether the present branch is taken."""
    lines = text.split("\n")
    in_code = {
        text.count("\n", 0, code.start()) + 1 + line
        for code in CODE.finditer(text)
        for line in range(1, code[0].count("\n") + 1)
    }
    for number, line in enumerate(lines, 1):
        found = DIRECTIVE.match(line)
        if found is None or number in in_code:
            if not all(taken for _, taken in branches):
                lines[number - 1] = ""
            continue
        lines[number - 1] = ""
        branches = _after(branches, found[1], found[2], names, (script, number))
    if branches:
        raise ScriptError(script, branches[-1][0], "expected #endif, found the end of the script")
    return "\n".join(lines)


def _after(
    branches: list[tuple[int, bool]], directive: str, name: str, names: set[str], place: tuple[str, int]
) -> list[tuple[int, bool]]:
    script, line = place
    if directive in ("ifdef", "ifndef"):
        if not name or len(branches) >= DEPTH_MAX:
            raise ScriptError(
                script, line, f"expected #{directive} NAME, at most {DEPTH_MAX} within each other"
            )
        return [*branches, (line, (name in names) is (directive == "ifdef"))]
    if directive in ("if", "elif"):
        raise ScriptError(script, line, f"expected #ifdef, #ifndef, #else or #endif, found #{directive}")
    if not branches:
        raise ScriptError(script, line, f"expected #ifdef before #{directive}")
    begun, taken = branches[-1]
    return [*branches[:-1], (begun, not taken)] if directive == "else" else branches[:-1]
