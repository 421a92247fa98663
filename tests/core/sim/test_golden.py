"""The golden table that is kept: it is what the TCP of today does, and what theory allows.

A change of the TCP that is meant to move figures runs `make golden`, and its author looks at the difference.
"""

from pathlib import Path
from typing import Any

import pytest

from gossamer.core.sim.golden import BUFFERS_BYTES, LOSSES, allowed, lines, measured, parsed

KEPT = Path(__file__).with_name("golden.txt").read_text()
CELLS = parsed(KEPT)
STALE = (
    "the kept table is not what the TCP does: is that meant? then `make golden`, and look at the difference"
)


LARGE_FROM_BYTES = 8192


def anew(buffer_bytes: int) -> Any:
    """A row of the table; those of large buffers are most of the work."""
    return pytest.param(buffer_bytes, marks=[pytest.mark.long] * (buffer_bytes >= LARGE_FROM_BYTES))


@pytest.mark.slow
@pytest.mark.parametrize("buffer_bytes", [anew(each) for each in BUFFERS_BYTES])
@pytest.mark.parametrize("loss", LOSSES)
def test_cell__computed_anew__is_what_is_kept(buffer_bytes: int, loss: float) -> None:
    assert measured(buffer_bytes, loss, "newreno") == CELLS[buffer_bytes, loss], STALE


def test_kept_text__its_cells_written_again__the_same() -> None:
    cells = {place: (found, allowed(*place, "newreno")) for place, found in CELLS.items()}
    assert "".join(f"{line}\n" for line in lines(cells, "newreno")) == KEPT, STALE


def test_cells__never_beyond_what_theory_allows__nor_far_below() -> None:
    """Chance may favour a run of two minutes; the formulas know no timeouts, which dominate where a third
    is lost, and there nothing distinguishes loss from a path that drops large packets (RFC 4821 7.7)."""
    for (buffer_bytes, loss), measured_bps in CELLS.items():
        ratio = measured_bps / allowed(buffer_bytes, loss, "newreno")
        assert ratio < 1.25, (buffer_bytes, loss)
        assert ratio > (0.75 if loss <= 0.001 else 0.4 if loss <= 0.1 else 0.1), (buffer_bytes, loss)
    assert set(CELLS) == {(buffer_bytes, loss) for buffer_bytes in BUFFERS_BYTES for loss in LOSSES}


def test_text__is_read_back_as_it_was_written() -> None:
    cells = {(b, p): (b * (1 - p), float(b)) for b in BUFFERS_BYTES for p in LOSSES}
    found = parsed("\n".join(lines(cells, "newreno")))
    assert found == {place: round(pair[0], 1) for place, pair in cells.items()}
