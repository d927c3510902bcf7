"""What a state directory's server serves now, opened by whoever may read its files: the server need not be asked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.health import forced
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import CONTROL_FILE, run_directory_in_use, slots_path, snapshot_path, table_path
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.publish.last_served import last_served
from lbdns.publish.replay.two_views import InForce
from lbdns.publish.slots_document import decode_slots

ATTEMPTS: Final = 5
"""A generation may be replaced while it is opened."""


def open_in_force(state_dir: Path) -> InForce:
    """Return what is served, with its health as it is measured; where no server has left its files, what was served
    last, whose health nobody knows. Raises LbdnsError where nothing ever was, or where it cannot be read."""
    problem: Exception | None = None
    for _ in range(ATTEMPTS):
        run = run_directory_in_use(state_dir)
        if run is None or not (run / CONTROL_FILE).exists():
            return _kept(state_dir)
        try:
            return _opened(state_dir, run)
        except (OSError, LbdnsError, ValueError, KeyError, TypeError) as error:
            problem = error
    raise LbdnsError(f"what is served in {state_dir} cannot be read: {problem}")


def _opened(state_dir: Path, run: Path) -> InForce:
    control = Control.attach(run / CONTROL_FILE)
    generation = control.generation
    control.close()
    snapshot = Snapshot.open(snapshot_path(run, generation))
    table = HealthTable.attach(table_path(run, snapshot.layout_id))
    slots = decode_slots(slots_path(run, generation).read_text(encoding="utf-8"))
    return InForce(snapshot, slots, table, forced.load(state_dir))


def _kept(state_dir: Path) -> InForce:
    kept = last_served(state_dir)
    if kept is None:
        raise LbdnsError(f"nothing was ever served from {state_dir}, so that there is nothing to compare with")
    with tempfile.TemporaryDirectory(prefix="lbdns-") as folder:
        snapshot, slots = kept.compiled(Path(folder))
    return InForce(snapshot, slots, None)
