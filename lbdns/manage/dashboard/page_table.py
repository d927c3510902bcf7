"""The pages of the dashboard, a row each, in the order of the navigation.

A page is made of its module in pages/, which has a `router`, its templates in templates/, and its row here.
"""

from __future__ import annotations

from typing import Final

from lbdns.manage.dashboard.page_row import PageRow
from lbdns.manage.dashboard.pages import (
    ask_page,
    health_page,
    log_page,
    map_page,
    overview_page,
    revisions_page,
    sign_in_page,
    tokens_page,
)

PAGES: Final = (
    (
        PageRow("Overview", "/", "overview", "Is anything wrong, where does traffic go, what changed last"),
        overview_page.router,
    ),
    (
        PageRow("Ask", "/ask", "ask", "For this client: each step, the answer, its scope, what would change it"),
        ask_page.router,
    ),
    (
        PageRow("Map", "/map", "map", "Which pool each country gets, and which pools are slow from where"),
        map_page.router,
    ),
    (
        PageRow("Health", "/health", "health", "What is down, since when, seen from where, why, and who forced what"),
        health_page.router,
    ),
    (PageRow("Log", "/log", "log", "What happened, in order, with evidence"), log_page.router),
    (
        PageRow("Revisions", "/revisions", "revisions", "Who changed what, what it moved, how to go back"),
        revisions_page.router,
    ),
    (PageRow("Tokens", "/tokens", "tokens", "Who may use the API, and for what"), tokens_page.router),
)
UNLISTED: Final = (sign_in_page.router,)
"""Routes that no row of the navigation leads to."""
