"""Every script of tests/packets passes, and fails once an expectation of it is made wrong."""

import re
from pathlib import Path

import pytest

from gossamer.core.packetdrill.profiles import LINUX
from gossamer.core.packetdrill.runner import play
from gossamer.core.packetdrill.verdict import Outcome

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


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_script__is_played__passes(path: Path) -> None:
    verdict = play(path.read_text(), str(path), LINUX, tolerance_percent=TOLERANCE_PERCENT)
    assert verdict.verdict is Outcome.PASS, f"{path}:{verdict.line}: {verdict.message}"
    if "lenient" not in path.read_text().partition("\n")[0]:
        assert verdict.strict is Outcome.PASS, f"{path}:{verdict.strict_line}: {verdict.strict_message}"


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_script__with_a_wrong_expectation__fails(path: Path) -> None:
    verdict = play(broken(path.read_text()), str(path), LINUX, tolerance_percent=TOLERANCE_PERCENT)
    assert verdict.verdict is Outcome.FAIL


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_script__its_first_line__cites_the_section(path: Path) -> None:
    assert HEAD.fullmatch(path.read_text().partition("\n")[0])
    assert re.fullmatch(r"[a-z0-9-]+", path.stem)
