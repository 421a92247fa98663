"""The comparison from beginning to end: servers up, rounds, servers down, and everything gone.

Owns the order and the bound in time. All servers of a run live at once, kept on one processor, and one of
them is asked at a time. A contender that fails is told once and its sample left out; what would begin after
the time limit is not begun.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gossamer.loadtest.cpu import keep_on, tree
from gossamer.loadtest.namespaces import NamespaceError, missing_requirement
from gossamer.loadtest.servers import Server, ServerError
from gossamer.loadtest.surroundings import surroundings
from gossamer.loadtest.web.asking import ask, check_answers, write_files, write_keys
from gossamer.loadtest.web.contenders import CANNOT, HANDLERS, Ground, obstacle, service_of, start, title_of
from gossamer.loadtest.web.goals import goals_of
from gossamer.loadtest.web.links import Case, planned
from gossamer.loadtest.web.measuring import processors
from gossamer.loadtest.web.result import SCHEMA, Samples, WebResult, case_result
from gossamer.loadtest.web.rows import Service
from gossamer.loadtest.web.sample import WebSample
from gossamer.loadtest.web.settings import WebSettings
from gossamer.loadtest.web.stage import LinkStage, Way, staged
from gossamer.shards.exitcode import CannotStartError

NEEDED: Final = ("wrk", "curl", "ethtool", "iptables", "openssl")
TEXT_MAX: Final = 200
"""Of what a failed client or server said, in a note."""

Told = Callable[[str], None]


class Comparing:
    """One run on its stage: the servers that are up, and what was found."""

    def __init__(self, settings: WebSettings, stage: LinkStage, folder: Path, say: Told) -> None:
        self.settings = settings
        self.stage = stage
        self.folder = folder
        self.say = say
        self.notes: list[str] = []
        self.servers: dict[tuple[str, Service], Server] = {}
        self.found: list[tuple[Case, Samples]] = []
        self.congestion: dict[str, str] = {}
        """What the kernel ran, by case."""
        self.started_s = time.monotonic()

    def note(self, text: str) -> None:
        """Keep it, once."""
        if text not in self.notes:
            self.notes.append(text)
            self.say(text)

    def plan(self) -> list[Case]:
        """The cases, without contenders that cannot be here or cannot do a row."""
        wanted = self.settings.contenders
        missing = {name: why for name in wanted if (why := obstacle(name))}
        for name, why in missing.items():
            self.note(f"{title_of(name)}: not run, {why}")
        there = [name for name in wanted if name not in missing]
        cases = planned(self.settings.rows, self.settings.links, there)
        for (name, row), why in CANNOT.items():
            if any(name in case.contenders for case in cases if case.row.name == row):
                self.note(f"{title_of(name)}: no {row}, {why}")
        return [without(case, {name for name, row in CANNOT if row == case.row.name}) for case in cases]

    def start_servers(self, cases: Sequence[Case], held: contextlib.ExitStack) -> None:
        """All servers that the cases want; one that does not come up is noted, and left out."""
        keys = write_keys(self.folder) if any(case.row.is_encrypted for case in cases) else None
        ground = Ground(self.stage.servers, self.folder / "site", self.folder, self.settings, keys)
        wanted = {(name, service_of(name, case.row)) for case in cases for name in case.contenders}
        for name, service in sorted(wanted):
            self.say(f"{self.elapsed()} starting {title_of(name)}, {service}")
            try:
                server = start(ground, name, service)
                held.callback(server.close)
                keep_on(tree(server.process.pid), processors()[0])
                if service in ("site", "tls") and name not in HANDLERS:
                    check_answers(self.stage.servers, server)
            except (ServerError, OSError) as error:
                self.note(f"{title_of(name)}: not run, {shortened(error)}")
            else:
                self.servers[name, service] = server

    def ask_all(self, cases: Sequence[Case]) -> None:
        """Round after round of all cases."""
        self.found = [(case, {name: [] for name in case.contenders}) for case in cases]
        for number in range(self.settings.rounds):
            for case, samples in self.found:
                if time.monotonic() - self.started_s > self.settings.time_limit_s:
                    self.note(
                        f"round {number + 1}, {case.name} and what follows: not begun, the time is over"
                    )
                    return
                self.say(f"{self.elapsed()} round {number + 1} of {self.settings.rounds}: {case.name}")
                self.ask_case(number, case, samples)

    def ask_case(self, number: int, case: Case, samples: Samples) -> None:
        """One round of one case; each round begins with another contender."""
        names = [name for name in case.contenders if (name, service_of(name, case.row)) in self.servers]
        first = number % max(1, len(names))
        taken: dict[str, WebSample | None] = {}
        try:
            with self.stage.set_up(case.row, case.link) as way:
                self.congestion[case.name] = way.congestion
                for name in (*names[first:], *names[:first]):
                    taken[name] = self.sample(name, case, way)
        except NamespaceError as error:
            self.note(f"{case.name}: {shortened(error)}")
        for name, rounds in samples.items():
            rounds.append(taken.get(name))

    def sample(self, name: str, case: Case, way: Way) -> WebSample | None:
        """One sample; None where it failed, which is noted."""
        server = self.servers[name, service_of(name, case.row)]
        seconds = self.settings.seconds * case.row.patience
        try:
            found = ask(case.row, server, way.client, way.host, seconds, self.folder)
        except (ServerError, OSError) as error:
            self.note(f"{title_of(name)}: {case.name} failed, {shortened(error)}")
            return None
        if found.errors:
            self.note(
                f"{title_of(name)}: {case.name}: {found.errors:,} errors beside {found.units:,.0f} answers"
            )
        return found

    def elapsed(self) -> str:
        """How long the run has lasted, and how long it may."""
        return f"{time.monotonic() - self.started_s:4.0f} s of at most {self.settings.time_limit_s:.0f}:"


def without(case: Case, names: set[str]) -> Case:
    """A case that is not asked of these."""
    return Case(case.row, case.link, tuple(name for name in case.contenders if name not in names))


def shortened(error: Exception) -> str:
    """What went wrong, in one line that is not too long."""
    return " ".join(str(error).split())[-TEXT_MAX:]


def check_needs() -> None:
    """Raises: CannotStartError, for what the machine does not have."""
    if reason := missing_requirement():
        raise CannotStartError(f"bench: {reason}")
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        raise CannotStartError(
            f"bench: not installed: {', '.join(missing)}; scripts/system-packages test installs them"
        )


def compare(settings: WebSettings, say: Told) -> WebResult:
    """All of it; progress goes to `say`. Raises: CannotStartError, NamespaceError, ServerError, OSError."""
    check_needs()
    with (
        tempfile.TemporaryDirectory(prefix="gossamer-bench-") as folder,
        staged(settings.congestion) as stage,
        contextlib.ExitStack() as held,
    ):
        run = Comparing(settings, stage, Path(folder), say)
        cases = run.plan()
        if not cases:
            raise ServerError("nothing to compare: no contender can do any of these rows over these links")
        around = surroundings(stage.servers)
        write_files(Path(folder, "site"), settings.bulk_bytes)
        run.start_servers(cases, held)
        if not run.servers:
            raise ServerError("; ".join(run.notes))
        run.ask_all(cases)
        found = [case_result(case, samples, run.congestion.get(case.name, "")) for case, samples in run.found]
        return WebResult(
            SCHEMA,
            around,
            settings,
            round(time.monotonic() - run.started_s, 1),
            found,
            run.notes,
            goals_of(found),
        )
