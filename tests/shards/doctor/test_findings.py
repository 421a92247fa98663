"""What rows mean for a stack: a table."""

import pytest

from gossamer.shards.doctor.findings import Finding, For, Wanted, in_the_way, verdict

GOOD = Finding("kernel", "Linux", For.ANY)
NO_PROC = Finding("/proc", "not there", For.ANY, "mount it")
NO_QUEUE = Finding("a queue", "refused", For.NFQUEUE, "modprobe")
SLOW_CLOCK = Finding("clock", "hpet", For.SOME, "tsc")


@pytest.mark.parametrize(
    ("rows", "wanted", "names", "said"),
    [
        ([GOOD], "nfqueue", [], "both stacks run here"),
        ([GOOD, SLOW_CLOCK], "nfqueue", [], "both stacks run here"),
        (
            [GOOD, NO_QUEUE],
            "nfqueue",
            ["a queue"],
            "kernel sockets serve; the functional TCP does not run here: a queue",
        ),
        (
            [GOOD, NO_QUEUE],
            "auto",
            [],
            "kernel sockets serve, and auto takes them; the functional TCP does not run here: a queue",
        ),
        ([NO_PROC, NO_QUEUE], "kernel", ["/proc"], "no server runs here: /proc"),
        ([NO_PROC, NO_QUEUE], "nfqueue", ["/proc", "a queue"], "no server runs here: /proc"),
    ],
)
def test_verdict(rows: list[Finding], wanted: Wanted, names: list[str], said: str) -> None:
    assert [each.name for each in in_the_way(rows, wanted)] == names
    assert verdict(rows, wanted) == said
