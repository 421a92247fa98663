"""Tells the keeper what the next supervisor must know, as soon as it is other than before.

Owns how the record is put together, and what is looked at to see that it has changed.
"""

import os
from typing import Final

from gossamer.core.layout import CONNECTION_LAYOUT
from gossamer.shards.keeper.notes import ServerNote
from gossamer.shards.keeper.succession import ServerRecord, ShardRecord, encode_record
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.replacing import Replacing
from gossamer.shards.supervisor.scaling import Scaling
from gossamer.shards.supervisor.startup import ServerRun

EXEC_WAIT_US: Final = 30_000_000
"""How long the keeper answers nobody while this process becomes another program."""


class Bequest:
    """What is left behind, should this supervisor be gone the next moment."""

    def __init__(self, run: ServerRun, children: Children, scaling: Scaling, replacing: Replacing) -> None:
        self._run = run
        self._children = children
        self._scaling = scaling
        self._replacing = replacing
        self._seen: object = None
        self._note: ServerNote | None = None

    def tick(self) -> None:
        """Tell what has changed."""
        self.is_told()

    def is_told(self) -> bool:
        """Tell it; whether the keeper has all of it."""
        deposit = self._run.deposit
        if deposit is None or self._children.is_stopping:
            return False
        note, descriptors = self._present(), dict(self._run.descriptors())
        for process in self._children.processes():
            descriptors |= process.descriptors()
        return deposit.update(descriptors, note)

    def _present(self) -> ServerNote:
        run = self._run
        shards = tuple(slot.record() for slot in self._children.slots)
        seen = (shards, dict(run.owners), self._scaling.wanted, self._replacing.generation, id(run.config))
        if self._note is None or seen != self._seen:
            self._seen, self._note = seen, self._written(shards)
        return self._note

    def _written(self, shards: tuple[ShardRecord, ...]) -> ServerNote:
        run = self._run
        record = ServerRecord(
            config=run.config,
            plan=run.plan,
            host=run.opened.host,
            port=run.opened.port,
            owners=dict(run.owners),
            shards=shards,
            wanted=self._scaling.wanted,
            generation=self._replacing.generation,
            why_packets=run.opened.why_packets,
            hmark_secret=run.secrets.hmark,
            fast_open_secret=run.secrets.fast_open,
            boot_secret=run.secrets.boot,
            chains=run.rules.chains,
            connection_layout=CONNECTION_LAYOUT,
        )
        return ServerNote(
            run_dir=os.fsencode(run.directory.path),
            workers=tuple((p.pid, p.start_ticks) for shard in shards for p in shard.processes),
            graceful_us=run.config.server.timeout_graceful_shutdown_us,
            has_rules=bool(run.rules.chains),
            content=encode_record(record),
        )
