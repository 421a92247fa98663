"""Simulated runs of every kind of loss, seed after seed, each step held to the oracle.

    python -m gossamer.core.sim.soak --seeds 1000

Owns the kinds: random loss and bursts of it, with SACK and without, reordering, duplicates, lost ACKs, paths
that carry less without saying so, blackouts, marks, small buffers, and other algorithms.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import Any, Final

from gossamer.core.sim.loss import BurstLoss
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation

KIB: Final = 1024
BURSTS: Final = (BurstLoss(0.01, 0.33),)
JUMBLED: Final = {"reorder": 0.05, "duplicate": 0.05, "jitter_us": 5_000, "transfer_bytes": 512 * KIB}
SHRINKS: Final = ((500_000, 900),)
PATIENCE: Final = 60
"""Retransmissions before a connection gives up (R2), of a SYN too. A burst ends with so many packets, not
with time: in one run of some thousands it takes 15 that are sent alone, and of so many runs that lose a fifth
one loses seven SYNs in a row. A connection that gave up then would be right."""

KINDS: Final[dict[str, dict[str, Any]]] = {
    "bursts": {"models": BURSTS},
    "bursts, no SACK": {"models": BURSTS, "sack": False, "transfer_bytes": 4096 * KIB},
    "bursts, newreno, no SACK": {"models": BURSTS, "sack": False, "congestion": ("newreno",)},
    "bursts, bbr": {"models": BURSTS, "congestion": ("bbr",)},
    "bursts, bbr, no SACK, no timestamps": {
        "models": BURSTS,
        "congestion": ("bbr",),
        "sack": False,
        "timestamps": False,
    },
    "3 %, no SACK, no timestamps": {"loss": 0.03, "sack": False, "timestamps": False},
    "20 %": {"loss": 0.2, "transfer_bytes": 200 * KIB},
    "20 %, no SACK": {"loss": 0.2, "sack": False, "transfer_bytes": 200 * KIB},
    "jumbled": JUMBLED,
    "jumbled, no SACK": {**JUMBLED, "sack": False},
    "jumbled and lossy, no timestamps": {**JUMBLED, "timestamps": False, "loss": 0.01},
    "lost ACKs": {"ack_loss": 0.3, "loss": 0.02},
    "black hole": {"mtu_changes": SHRINKS, "icmp": False, "loss": 0.01},
    "black hole, no SACK": {"mtu_changes": SHRINKS, "icmp": False, "loss": 0.02, "sack": False},
    "path shrinks and grows": {"mtu_changes": (*SHRINKS, (900_000, 1500)), "loss": 0.01},
    "blackout": {"models": BURSTS, "blackouts": ((500_000, 2_500_000),)},
    "blackout, no SACK": {"models": BURSTS, "blackouts": ((300_000, 5_500_000),), "sack": False},
    "small buffers": {"buffer_bytes": 4 * KIB, "loss": 0.05, "transfer_bytes": 100 * KIB},
    "marks": {"mark_bytes": 20_000, "loss": 0.01, "flows": 2},
    "wrong bits": {"corrupt": 0.03},
}


def scenario_of(kind: str, seed: int) -> Scenario:
    """A run of that kind."""
    usual = {"rate_bps": 10_000_000, "delay_us": 25_000, "transfer_bytes": 1024 * KIB}
    return Scenario(seed=seed, retries=PATIENCE, syn_retries=PATIENCE, **{**usual, **KINDS[kind]})


def faults(seeds: range) -> Iterator[str]:
    """A line for each run in which an oracle found something, or that never ended."""
    for seed in seeds:
        for kind in KINDS:
            try:
                report = Simulation(scenario_of(kind, seed)).run()
            except AssertionError as error:
                yield f"{kind}, seed {seed}: {error}"
                continue
            if not report.has_finished:
                yield f"{kind}, seed {seed}: not complete"


def main() -> int:
    """0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m gossamer.core.sim.soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="runs of each kind")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    asked = parser.parse_args()
    count = 0
    for line in faults(range(asked.first, asked.first + asked.seeds)):
        print(line, flush=True)
        count += 1
    print(f"{asked.seeds} seeds of {len(KINDS)} kinds: {count} faults")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
