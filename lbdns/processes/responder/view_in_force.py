"""The view in force: the snapshot and the health table that belong together, found by one read of shared memory."""

from __future__ import annotations

import logging

from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_table import open_signatures
from lbdns.mapped.snapshot_file import Snapshot

_ATTEMPTS = 3  # a generation may be replaced and its file removed while we open it

log = logging.getLogger("lbdns.processes")


class Views:
    """Follows the control file's generation; what was good stays in use while a newer one cannot be opened."""

    def __init__(self, control: Control, run: RunDirectory) -> None:
        """Open the generation in force; raises LbdnsError where there is none that can be opened."""
        self._control = control
        self._run = run
        self._generation = control.generation
        self._view = self._open(None)

    def current(self) -> ServingView:
        """Return the view to answer the next batch from."""
        if self._control.generation != self._generation:
            self._generation = self._control.generation
            try:
                self._view = self._open(self._view)
            except (LbdnsError, OSError, ValueError, KeyError) as error:
                log.error("cannot use generation %d, an older one serves on: %s", self._generation, error)
        return self._view

    def _open(self, before: ServingView | None) -> ServingView:
        for attempt in range(_ATTEMPTS):
            try:
                self._run.find()  # where it was removed, somebody else may have put another in its place
                snapshot = Snapshot.open(self._run.snapshot(self._generation), before.snapshot if before else None)
                table = HealthTable.attach(self._run.table(snapshot.layout_id))
                signatures = open_signatures(snapshot, self._run, before.signatures if before else None)
                return ServingView(snapshot, table, signatures, self._run.state_dir)
            except (LbdnsError, FileNotFoundError):
                if attempt == _ATTEMPTS - 1 or self._control.generation == self._generation:
                    raise
                self._generation = self._control.generation
        raise AssertionError("the loop above returns or raises")
