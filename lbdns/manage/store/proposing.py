"""What would be served, were files that are served changed in some way: nobody changes them here."""

from __future__ import annotations

import time
from collections.abc import Callable

from lbdns.base.errors import ConfigError
from lbdns.manage.store.builder import Builder
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.state import State
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings


def proposed(state: State, settings: Settings, make: Callable[[Edit], object], is_local: bool) -> Configuration:
    """Return a state as it would be served after a change; raises ConfigError with every mistake in it."""
    edit = Edit(state, time.time(), is_local)
    make(edit)
    if edit.problems:
        raise ConfigError(edit.problems, edit.problems.more)
    after = state.changed(edit.finish(), state.revision + 1)
    return Builder().examine(after, settings).loaded().configuration
