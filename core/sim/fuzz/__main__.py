"""Fuzz for a while: `python -m gossamer.core.sim.fuzz --seconds 120`; replay: `... --replay FILE`."""

import argparse
import sys
from pathlib import Path
from time import monotonic, time_ns

from gossamer.core.sim.fuzz.campaign import Campaign, Volley, fired, load, save

SAID_EVERY_SECONDS = 10


def main() -> int:
    """0 when nothing broke, 1 when something did."""
    parser = argparse.ArgumentParser(prog="python -m gossamer.core.sim.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long")
    parser.add_argument("--seed", type=int, default=time_ns() % 1_000_000_000, help="of all chance")
    parser.add_argument("--corpus", type=Path, default=Path("tests/fuzz/corpus"), help="folder of volleys")
    parser.add_argument("--keep", action="store_true", help="let the corpus be the essence of what was tried")
    parser.add_argument("--replay", type=Path, help="fire one volley, and show what it does")
    asked = parser.parse_args()
    if asked.replay is not None:
        return replay(asked.replay)
    asked.corpus.mkdir(parents=True, exist_ok=True)
    return fuzz(asked)


def replay(path: Path) -> int:
    """Fire one volley, and let what it breaks be seen."""
    volley = load(path)
    for shot in volley:
        print(shot)
    features, error = fired(volley)
    print(*sorted(features), sep="\n")
    if error is not None:
        raise error
    return 0


def fuzz(asked: argparse.Namespace) -> int:
    """Round after round, until the time is over or something breaks."""
    corpus: list[Volley] = [load(path) for path in sorted(asked.corpus.glob("*.json"))]
    began = said = monotonic()
    campaign = Campaign(corpus, asked.seed)
    print(f"seed {asked.seed}, {len(corpus)} volleys of the corpus reach {len(campaign.features)}")
    while monotonic() - began < asked.seconds and not campaign.crashes:
        campaign.round()
        if monotonic() - said > SAID_EVERY_SECONDS:
            said = monotonic()
            report(campaign, said - began)
    report(campaign, monotonic() - began)
    print(*sorted(campaign.features), sep="\n")
    if asked.keep:
        for path in asked.corpus.glob("volley-*.json"):
            path.unlink()
        for volley in campaign.essence():
            save(asked.corpus, volley, "volley")
    for volley, error in campaign.crashes:
        path = save(asked.corpus, volley, "crash")
        print(f"{type(error).__name__}: {error}\nreplay: python -m gossamer.core.sim.fuzz --replay {path}")
    return 1 if campaign.crashes else 0


def report(campaign: Campaign, seconds: float) -> None:
    """Print how far it has come."""
    rate, reached = campaign.rounds / max(seconds, 0.001), len(campaign.features)
    print(f"{campaign.rounds} rounds, {rate:.0f}/s, {reached} of (state, drop or change)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
