"""Explore every scenario to a depth: `python -m gossamer.core.sim.model --depth 20`."""

import argparse
import sys
from time import monotonic

from gossamer.core.sim.model.explore import Counterexample, Explorer
from gossamer.core.sim.model.scenarios import SCENARIOS


def main() -> int:
    """0 when nothing was found, 1 with the way to what was."""
    parser = argparse.ArgumentParser(prog="python -m gossamer.core.sim.model", description=__doc__)
    parser.add_argument("--depth", type=int, default=20, help="moves from the start")
    parser.add_argument("--worlds", type=int, default=500_000, help="worlds of one scenario, at most")
    parser.add_argument("--scenario", default="", help="only those whose name has this in it")
    asked = parser.parse_args()
    worlds = transitions = 0
    for scenario in (found for found in SCENARIOS if asked.scenario in found.name):
        began = monotonic()
        try:
            explored = Explorer(scenario).explore(asked.depth, asked.worlds)
        except Counterexample as found:
            print(found)
            return 1
        worlds, transitions = worlds + explored.worlds, transitions + explored.transitions
        whole = "the whole of it" if explored.is_whole else "and there is more"
        print(
            f"{explored.scenario:36} depth {explored.depth:3} {explored.worlds:8} worlds "
            f"{explored.transitions:9} transitions {monotonic() - began:6.1f} s, {whole}",
            flush=True,
        )
    print(f"{worlds} worlds, {transitions} transitions: no deadlock, no unreachable close, no assertion")
    return 0


if __name__ == "__main__":
    sys.exit(main())
