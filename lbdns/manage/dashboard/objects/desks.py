"""The kinds of objects that pages make and change, a desk each, and where the API has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from lbdns.base.kinds import Kind
from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.dashboard.object_forms.form_field import FormField, kind_form
from lbdns.manage.dashboard.objects.object_desk import ObjectDesk
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest

ACCOUNT_OWNER: Final = "account"
"""Stands in a page's path where a load balancer is the account's, and in no zone."""


@cache
def form_of_kind(kind: Kind) -> FormField:
    """Return the form of a kind's objects; made once."""
    return kind_form(kind, SHAPES[kind].written)


def account_path(request: PageRequest, *parts: str) -> str:
    """Return a path below the account's, in the v4 API."""
    return path_of(V4_PATH, "accounts", request.site.account_id, *parts)


def balancing_path(*parts: str) -> Callable[[PageRequest], str]:
    """Return what tells the path of a list of the account's balancing objects."""
    return lambda request: account_path(request, "load_balancers", *parts)


def owner_path(request: PageRequest) -> str:
    """Return the path of the load balancers of the zone, or the account, that a page's path names."""
    owner = str(request.path_params["owner"])
    if owner == ACCOUNT_OWNER:
        return account_path(request, "load_balancers")
    return zone_path(owner)


def zone_path(zone_id: str) -> str:
    """Return the path of the load balancers of a zone."""
    return path_of(V4_PATH, "zones", zone_id, "load_balancers")


def kind_desk(kind: Kind, place: str, api: Callable[[PageRequest], str], **more: Any) -> ObjectDesk:
    """Return the desk of a kind that has a model."""

    def form(request: PageRequest, body: Mapping[str, Any]) -> FormField:
        return form_of_kind(kind)

    refers = {"shown": place, **more}
    return ObjectDesk(kind.words, place, api=api, form=form, refers=kind.referred, name_key=kind.called_by, **refers)


POOLS: Final = kind_desk(Kind.POOL, "/pools", balancing_path(Kind.POOL.section))
MONITOR_GROUPS: Final = kind_desk(
    Kind.MONITOR_GROUP, "/monitors/groups", balancing_path(Kind.MONITOR_GROUP.section), shown=""
)
VIRTUAL_NETWORKS: Final = kind_desk(
    Kind.VIRTUAL_NETWORK,
    "/networks/virtual_networks",
    lambda request: account_path(request, "teamnet", Kind.VIRTUAL_NETWORK.section),
    shown="",
)
ROUTES: Final = kind_desk(
    Kind.ROUTE,
    "/networks/routes",
    lambda request: account_path(request, "teamnet", Kind.ROUTE.section),
    shown="",
)
OVERRIDES: Final = kind_desk(
    Kind.OVERRIDE,
    "/networks/overrides",
    lambda request: path_of(OWN_PATH, Kind.OVERRIDE.section),
    shown="",
)
