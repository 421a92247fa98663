"""How the playing of a script ends before its last event.

Owns the three ends other than success. Each names the line of the script.
"""

from gossamer.core.errors import GossamerError


class ScriptError(GossamerError):
    """The script is not in the language: "FILE:LINE: expected X, found Y"."""

    def __init__(self, script: str, line: int, message: str) -> None:
        super().__init__(f"{script}:{line}: {message}")
        self.line = line
        self.message = message


class Unsupported(GossamerError):
    """The script asks for something that does not exist here. It says nothing against the TCP."""

    def __init__(self, name: str, line: int = 0) -> None:
        super().__init__(f"unsupported: {name} at line {line}" if line else f"unsupported: {name}")
        self.name = name
        self.line = line


class Mismatch(GossamerError):
    """What happened is not what the script expects."""
