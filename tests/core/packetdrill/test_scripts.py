"""Every script of tests/packets passes with either profile, and fails once an expectation is made wrong."""

import re
from functools import partial
from pathlib import Path

import pytest

from gossamer.core.packetdrill.profiles import BSD, LINUX
from gossamer.core.packetdrill.runner import play
from gossamer.core.packetdrill.verdict import Outcome

from ...parts import ask_each

PACKETS = Path(__file__).parents[2] / "packets"
SCRIPTS = sorted(PACKETS.rglob("*.pkt"))

TOLERANCE_PERCENT = 1.0
"""Virtual time has no jitter: our own scripts are held to a tenth of the tool's tolerance."""

HEAD = re.compile(r"// (RFC|draft-)\S* ?\d+.*: .*")
EXPECTED_ACK = re.compile(r"^(?P<before>[^/\n]*\s> [^\n]*?\back )(?P<number>\d+)", re.MULTILINE)
RESULT = re.compile(r"^(?P<before>[^/\n]*\) = )(?P<number>\d+)(?!\d)", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKETS).with_suffix(""))


def broken(text: str) -> str:
    """The script with its last expected ACK one too high; without any, with its last result."""
    found = list(EXPECTED_ACK.finditer(text)) or list(RESULT.finditer(text))
    assert found, "nothing is expected that could be made wrong"
    last = found[-1]
    return f"{text[: last.start('number')]}{int(last['number']) + 1}{text[last.end('number') :]}"


@pytest.mark.parametrize("folder", sorted({path.parent.name for path in SCRIPTS}))
def test_scripts__are_played__pass__and_with_a_wrong_expectation_fail(folder: str) -> None:
    """One by one: `gossamer packetdrill FILE`."""
    ask_each((name_of(path), partial(play_both, path)) for path in SCRIPTS if path.parent.name == folder)


def play_both(path: Path) -> None:
    """As it is, and made wrong."""
    text = path.read_text()
    # What is a system's habit says so at its head.
    for profile in (LINUX, BSD):
        verdict = play(text, str(path), profile, tolerance_percent=TOLERANCE_PERCENT)
        assert verdict.verdict is Outcome.PASS, f"{path}:{verdict.line}: {verdict.message}"
        if "lenient" not in text.partition("\n")[0]:
            assert verdict.strict is Outcome.PASS, f"{path}:{verdict.strict_line}: {verdict.strict_message}"
    wrong = play(broken(text), str(path), LINUX, tolerance_percent=TOLERANCE_PERCENT)
    assert wrong.verdict is Outcome.FAIL


def test_scripts__their_first_line_cites_the_section() -> None:
    assert len(SCRIPTS) > 300
    heads = {name_of(path): path.read_text().partition("\n")[0] for path in SCRIPTS}
    assert {name: head for name, head in heads.items() if not HEAD.fullmatch(head)} == {}
    assert [path for path in SCRIPTS if not re.fullmatch(r"[a-z0-9-]+", path.stem)] == []
