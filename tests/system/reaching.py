"""What a client meets at a port, in one word, for tests that hold both stacks to the same."""

import subprocess
from typing import Final

from gossamer.loadtest.namespaces import Namespace

ANSWERED: Final = "answered"
REFUSED: Final = "refused"
RESET: Final = "reset"
SILENCE: Final = "silence"
OUTCOME: Final = {0: ANSWERED, 7: REFUSED, 28: SILENCE, 52: RESET, 56: RESET}
"""By the exit code of curl(1): done, could not connect, timed out, no answer, failed to receive."""

SILENCE_S: Final = 1.5
"""How long nothing must come."""
ANSWER_S: Final = 15.0
"""How long whoever is to be answered or refused waits at most; a lost first SYN costs 1 s of it."""


def request(place: Namespace, url: str, expected: str, *options: str) -> str:
    """What becomes of one request; silence is waited for only as long as it takes to believe in it."""
    wait_s = SILENCE_S if expected == SILENCE else ANSWER_S
    argv = ["curl", "-sS", "-g", "-o", "/dev/null", "--max-time", str(wait_s), *options, url]
    done = subprocess.run(place.command(argv), capture_output=True, check=False)
    return OUTCOME.get(done.returncode, f"curl {done.returncode}: {done.stderr.decode()}")


def apply(place: Namespace, rules: tuple[str, ...]) -> None:
    """Run each line as a command of iptables(8), or of the program that it begins with."""
    for line in rules:
        words = line.split()
        if words[0] in ("iptables", "ip6tables"):
            words.insert(1, "-w")
        place.run(words)
