"""No regular expression that hostile text meets takes steps that double with each letter."""

import importlib
import itertools
import pkgutil
import re
import signal
from collections.abc import Iterator
from typing import Any

import gossamer.core.http
import gossamer.shards.web

REPEATED = 40
"""Letters: 2^40 steps end in no test."""
CPU_SECONDS_MAX = 20.0
"""Of one pattern; all of it takes a fraction of one second."""

BEGINNINGS = ("", "/", "GET /", '"', "a=", "bytes=", "for=", "Basic ", "1;", "Host: a")
UNITS = ("a", "0", "-", ".", "/", "a/", "a.", " ", "\t;", "; a", "=a", ",", '"', "\\a", "%20", "a:", "a;q=1,")
ENDS = ("\x00", "%", "\n")
TEXTS = [start + unit * REPEATED + end for start, unit, end in itertools.product(BEGINNINGS, UNITS, ENDS)]


def patterns() -> Iterator[tuple[str, Any]]:
    """The patterns of the modules that read what peers send."""
    for package in (gossamer.core.http, gossamer.shards.web):
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern):
                    yield f"{found.name}.{name}", value


def takes_for_ever(pattern: Any) -> bool:
    """Whether one of the texts is too much for it."""

    def over(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS_MAX)
    try:
        for text in TEXTS:
            shown = text.encode("latin-1") if isinstance(pattern.pattern, bytes) else text
            pattern.fullmatch(shown)
            pattern.search(shown)
    except TimeoutError:
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return False


def test_patterns__none_takes_for_ever() -> None:
    found = dict(patterns())
    assert len(found) > 20
    assert [name for name, pattern in found.items() if takes_for_ever(pattern)] == []


def test_a_pattern_that_does__is_seen(monkeypatch: Any) -> None:
    monkeypatch.setitem(globals(), "CPU_SECONDS_MAX", 0.1)
    assert takes_for_ever(re.compile(r"/(?:[a-z][a-z]*/?)*"))
