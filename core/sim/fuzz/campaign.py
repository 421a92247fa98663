"""Round after round: a volley is made from ones that reached something new, fired, and kept if it reaches
something new too.

Owns the corpus, a folder of volleys as JSON. What breaks the victim is written there as `crash-*.json`, cut
down to the shots that it needs.
"""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from gossamer.core.sim.fuzz.mutation import mutated
from gossamer.core.sim.fuzz.shot import Shot
from gossamer.core.sim.fuzz.victim import Victim

Volley = tuple[Shot, ...]

KEPT_MAX: Final = 4_000
"""Volleys kept in memory; by then nearly nothing is new."""


def load(path: Path) -> Volley:
    """A volley of the corpus. Raises: OSError, msgspec.MsgspecError."""
    return msgspec.json.decode(path.read_bytes(), type=Volley)


def save(folder: Path, volley: Volley, prefix: str) -> Path:
    """Write a volley under a name made from what it is."""
    octets = msgspec.json.encode(volley).replace(b"},{", b"},\n{")
    path = folder / f"{prefix}-{blake2b(octets, digest_size=6).hexdigest()}.json"
    path.write_bytes(octets + b"\n")
    return path


def fired(volley: Volley) -> tuple[set[str], Exception | None]:
    """What a volley reaches, and what it breaks."""
    victim = Victim()
    try:
        victim.take(volley)
    except Exception as error:  # noqa: BLE001  (whatever comes out of the victim is what is sought)
        return victim.features, error
    return victim.features, None


def shortened(volley: Volley, is_enough: Callable[[Volley], bool]) -> Volley:
    """The volley without the shots that it does not need."""
    at = 0
    while at < len(volley):
        shorter = volley[:at] + volley[at + 1 :]
        if is_enough(shorter):
            volley = shorter
        else:
            at += 1
    return volley


def breaks(volley: Volley) -> bool:
    """Whether a volley breaks the victim."""
    return fired(volley)[1] is not None


class Campaign:
    """Rounds of one seed. Bounds: KEPT_MAX."""

    def __init__(self, corpus: list[Volley], seed: int) -> None:
        self.features: set[str] = set()
        self.rounds = 0
        self.crashes: list[tuple[Volley, Exception]] = []
        self._random = Random(seed)
        self._kept: list[Volley] = []
        self._reached: dict[Volley, set[str]] = {}
        for volley in corpus:
            self._fire(volley)

    def round(self) -> None:
        """One volley more."""
        self.rounds += 1
        base = self._random.choice(self._kept) if self._kept else ()
        self._fire(mutated(self._random, base, self._kept))

    def essence(self) -> list[Volley]:
        """Few and short volleys that reach together all that was reached."""
        chosen: list[Volley] = []
        missing = set(self.features)
        while missing:
            best = max(
                self._kept, key=lambda volley: len(self._reached[volley] & missing) / (3 + len(volley))
            )
            chosen.append(best)
            missing -= self._reached[best]
        return chosen

    def _fire(self, volley: Volley) -> None:
        features, error = fired(volley)
        if error is not None:
            self.crashes.append((shortened(volley, breaks), error))
        elif not features <= self.features and len(self._kept) < KEPT_MAX:
            self.features |= features
            self._reached[volley] = features
            self._kept.append(volley)
