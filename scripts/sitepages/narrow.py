"""Commands as a telephone shows them: what is said beside a command stands above it. Pure.

Pages are written for a terminal, where a comment behind its command is read with it. On a narrow screen the
end of a long line is out of sight: such a comment becomes lines of its own, that fit.
"""

import re
import textwrap

INDENT = "    "
COLUMNS_MAX = 44
"""So many characters of code a screen of 400 pixels shows."""
BLOCK = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)
BESIDE = re.compile(r"(    [^\s#].*?)\s{2,}(?:# )?(\S.*)")
COMMAND = re.compile(r"    (?:\$ )?(?:gossamer|pip|make|scripts|systemctl|python|locust|kill|cd|[./]) ?")


def narrowed(text: str) -> str:
    """The page with such comments moved."""
    parts = re.split(r"(^```.*?^```[^\n]*$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if index % 2 else BLOCK.sub(_block, part) for index, part in enumerate(parts))


def _block(found: "re.Match[str]") -> str:
    lines = found[0].splitlines()
    if not any(map(COMMAND.match, lines)) or max(map(len, lines)) <= COLUMNS_MAX + len(INDENT):
        return found[0]
    moved = [line for each in lines for line in _line(each)]
    return "".join(f"{line}\n" for line in moved)


def _line(line: str) -> list[str]:
    beside = BESIDE.fullmatch(line)
    if beside is None or not COMMAND.match(line):
        return [line]
    said = textwrap.wrap(beside[2], COLUMNS_MAX - 2)
    # An empty line, so that it stands nearer to its own command than to the one before.
    return ["", *(f"{INDENT}# {each}" for each in said), beside[1]]
