"""For every test: the project's own pytest plugin, from the checkout where it is not installed."""

from __future__ import annotations

import pytest

from lbdns import testing


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin that an installed lbdns brings by its entry point."""
    if not config.pluginmanager.is_registered(testing):
        config.pluginmanager.register(testing, "lbdns")
