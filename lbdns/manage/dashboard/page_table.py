"""The pages of the dashboard, a row each, in the order of the navigation.

A page is made of its module in pages/, which has a `router`, its templates in templates/, and its row here.
"""

from __future__ import annotations

from typing import Final

from lbdns.manage.dashboard.page_row import PageRow
from lbdns.manage.dashboard.pages import (
    ask_page,
    fleet_page,
    health_page,
    load_balancers_page,
    log_page,
    map_page,
    monitors_page,
    networks_page,
    overview_page,
    pools_page,
    revisions_page,
    sign_in_page,
    signing_page,
    tokens_page,
    transfers_page,
    what_if_page,
    zones_page,
)

PAGES: Final = (
    (
        PageRow("Overview", "/", "overview", "Is anything wrong, where does traffic go, what changed last"),
        overview_page.router,
    ),
    (
        PageRow("Load balancers", "/load_balancers", "balancers", "Why a query goes where it goes, and what is next"),
        load_balancers_page.router,
    ),
    (PageRow("Pools", "/pools", "pools", "Where answers come from, and how that is"), pools_page.router),
    (PageRow("Monitors", "/monitors", "monitors", "How health is found out"), monitors_page.router),
    (PageRow("Zones", "/zones", "records", "What is answered beside load balancers"), zones_page.router),
    (
        PageRow("Transfers", "/transfers", "transfers", "Where zones come from, who has them, and what went wrong"),
        transfers_page.router,
    ),
    (PageRow("Networks", "/networks", "networks", "Who sees what, and what is reached how"), networks_page.router),
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
    (
        PageRow("What-if", "/what-if", "what-if", "How much of the recorded traffic a change would move, and where"),
        what_if_page.router,
    ),
    (
        PageRow("Fleet", "/fleet", "fleet", "Which machines are heard, what each serves, and in what they differ"),
        fleet_page.router,
    ),
    (PageRow("Log", "/log", "log", "What happened, in order, with evidence"), log_page.router),
    (
        PageRow("Revisions", "/revisions", "revisions", "Who changed what, what it moved, how to go back"),
        revisions_page.router,
    ),
    (PageRow("Tokens", "/tokens", "tokens", "Who may use the API, and for what"), tokens_page.router),
)
UNLISTED: Final = (sign_in_page.router, signing_page.router)
"""Routes that no row of the navigation leads to."""
