"""What is said of a script once it was played."""

from enum import Enum

import msgspec


class Outcome(Enum):
    """How it ended."""

    PASS = "pass"
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    ERROR = "error"
    """The script is not in the language."""


class ScriptVerdict(msgspec.Struct, frozen=True):
    """The verdicts of one script, lenient and strict."""

    script: str
    verdict: Outcome
    strict: Outcome
    line: int = 0
    message: str = ""
    strict_line: int = 0
    strict_message: str = ""
    events: int = 0
    """Events of the script that were played."""
    name: str = ""
    """What is unsupported."""

    def outcome(self, strict: bool) -> Outcome:
        """The verdict that counts."""
        return self.strict if strict else self.verdict

    def where(self, strict: bool) -> tuple[int, str]:
        """Line and message of the verdict that counts."""
        if strict and self.verdict is Outcome.PASS:
            return self.strict_line, self.strict_message
        return self.line, self.message
