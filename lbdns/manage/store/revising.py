"""Several revisions that are made at once: worked out, and checked as what they come to, in one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from lbdns.base.errors import ConfigError
from lbdns.config.examined import Examined
from lbdns.manage.store.builder import Builder
from lbdns.manage.store.item import net_changes
from lbdns.manage.store.sqlite import Revision
from lbdns.manage.store.state import State
from lbdns.model.settings import Settings


class Revised(NamedTuple):
    """Revisions, the state after them, and what came of checking that."""

    revisions: Sequence[Revision]
    after: State
    examined: Examined


def revise(
    before: State, make: Callable[[State], Sequence[Revision]], builder: Builder, settings: Settings
) -> Revised | None:
    """Return the revisions that `make` gives for a state, None where it gives none; raises ConfigError where what they
    come to cannot be served."""
    revisions = make(before)
    if not revisions:
        return None
    changes = net_changes(change for revision in revisions for change in revision.changes)
    after = before.changed(changes, revisions[-1].number)
    examined = builder.examine(after, settings)
    if examined.errors:
        raise ConfigError(examined.errors, examined.more)
    return Revised(revisions, after, examined)
