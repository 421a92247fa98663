"""How Gossamer's commands end, and the errors that make them end so.

Owns the exit codes; `gossamer --help` prints them from here.
"""

from enum import IntEnum
from typing import ClassVar

from gossamer.core.errors import GossamerError


class ExitCode(IntEnum):
    """The exit status of a command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CANNOT_START = 3
    GAVE_UP = 4
    NOT_VALID = 4
    NOT_RUNNING = 5
    MISSED = 5


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done, or the server was stopped (SIGTERM, SIGINT, gossamer stop)",
    ExitCode.FAILED: "the command was carried out and failed",
    ExitCode.USAGE: "a wrong option, or a wrong value in the configuration",
    ExitCode.CANNOT_START: "the port, a queue number, a right or a tool is not to be had",
    ExitCode.GAVE_UP: "workers died faster than [supervisor] restart_intensity allows",
    ExitCode.NOT_RUNNING: "no running server was found to talk to",
}


class CommandError(GossamerError):
    """An end of the command with one line for the user and an exit code of its own."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class ConfigError(CommandError):
    """A value is wrong: the message names its key, what was found and what is allowed."""

    exit_code = ExitCode.USAGE


class CannotStartError(CommandError):
    """Something that the server needs is not to be had."""

    exit_code = ExitCode.CANNOT_START


class StackUnavailableError(CannotStartError):
    """The functional TCP cannot run on this machine as things are; the kernel's sockets still can."""


class QueueTakenError(StackUnavailableError):
    """Somebody else has a queue of that number."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class GaveUpError(CommandError):
    """Workers die faster than they may be replaced."""

    exit_code = ExitCode.GAVE_UP


class NotRunningError(CommandError):
    """No running server answers."""

    exit_code = ExitCode.NOT_RUNNING


def command_error(exit_code: int, message: str) -> CommandError:
    """The error that ends a command with that code; one without a meaning here counts as a failure."""
    kinds = (ConfigError, CannotStartError, GaveUpError, NotRunningError)
    kind = next((each for each in kinds if each.exit_code == exit_code), CommandError)
    return kind(message)
