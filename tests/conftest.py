"""For every test: the project's own pytest plugin, from the checkout where it is not installed, and seeded properties.

Properties try the same examples each time. `pytest --hypothesis-profile=exploring` tries others.
"""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

from lbdns import testing

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell starts in the background ignores SIGINT and hands that on; tests interrupt what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.register_profile("exploring", deadline=None)
settings.load_profile("seeded")


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin that an installed lbdns brings by its entry point."""
    if not config.pluginmanager.is_registered(testing):
        config.pluginmanager.register(testing, "lbdns")
