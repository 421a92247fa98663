"""The standard library's own tests of asyncio, on its own loop or on ours: the outcome of each, as JSON.

python stdlib.py ours test_events test_tasks
"""

import asyncio
import importlib
import json
import sys
import unittest
from typing import Any

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Outcomes(unittest.TestResult):
    """Keeps one word for each test; a test of which a part failed has failed."""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[str, str] = {}
        self.why: dict[str, str] = {}

    def addSuccess(self, test: Any) -> None:  # noqa: N802 - unittest's name
        self.words.setdefault(test.id(), PASSED)

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802 - unittest's name
        del reason
        self.words.setdefault(test.id(), SKIPPED)

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802 - unittest's name
        del err
        self.words.setdefault(test.id(), PASSED)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802 - unittest's name
        self.words[test.id()] = FAILED
        self.why[test.id()] = self._exc_info_to_string(err, test)  # type: ignore[attr-defined]  # of TestResult

    addError = addUnexpectedSuccess = addFailure  # type: ignore[assignment]  # noqa: N815 - as above

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802 - unittest's name
        del subtest
        if err is not None:
            self.addFailure(test, err)


def patch() -> None:
    """Put our loop in the place of asyncio's."""
    from gossamer.aio import new_event_loop

    ours: Any = type(loop := new_event_loop())
    loop.close()

    class Loop(ours):  # type: ignore[misc]  # a class that is computed
        def __init__(self, selector: Any = None) -> None:
            if selector is not None:
                selector.close()
            super().__init__()

    module: Any = asyncio
    for place in (module, module.unix_events):
        place.SelectorEventLoop = Loop
        if hasattr(place, "EventLoop"):  # from Python 3.13 on
            place.EventLoop = Loop
    module.unix_events.DefaultEventLoopPolicy._loop_factory = Loop


def run(names: list[str]) -> Outcomes:
    """Run the modules of these names."""
    suite = unittest.TestSuite()
    for name in names:
        module = importlib.import_module(f"test.test_asyncio.{name}")
        suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
    outcomes = Outcomes()
    suite.run(outcomes)
    return outcomes


if __name__ == "__main__":
    if sys.argv[1] == "ours":
        patch()
    found = run(sys.argv[2:])
    json.dump({"words": found.words, "why": found.why}, sys.stdout)
