"""What a client meets at a port, in one word, for tests that hold both stacks to the same."""

import contextlib
import subprocess
from collections.abc import Iterator
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


@contextlib.contextmanager
def applied(place: Namespace, rules: tuple[str, ...]) -> Iterator[None]:
    """Rules that hold while the block runs; chains to which they were added were empty before."""
    undo = dict.fromkeys(inverse(place, line) for line in reversed(rules))
    try:
        apply(place, rules)
        yield
    finally:
        apply(place, tuple(undo))


def inverse(place: Namespace, rule: str) -> str:
    """The command that takes back what a line of `apply` does."""
    if rule.startswith("sysctl "):
        name = rule.split()[-1].partition("=")[0]
        return f"sysctl -qw {name}={place.run(['sysctl', '-n', name]).strip()}"
    words = rule.split()
    (at,) = (number for number, word in enumerate(words) if word in ("-A", "-N", "-P"))
    verb, chain = words[at : at + 2]
    back = {"-A": ["-F", chain], "-N": ["-X", chain], "-P": ["-P", chain, "ACCEPT"]}
    return " ".join([*words[:at], *back[verb]])
