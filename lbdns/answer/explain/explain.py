"""Why a name is answered as it is: the same road as `respond`, told step by step.

Nothing here steers. Every step is read from the matches and the `Decision` that gave the answer; of the kernel only its
own `reason_against` and `reason_against_endpoint` are asked again, for pools and endpoints that are not in the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

import dns.name
import dns.rdatatype

from lbdns.answer.answer import Road, answer, answer_client
from lbdns.answer.explain.fragmentation import networks_of
from lbdns.answer.explain.hidden_wildcard import hidden_wildcard_steps
from lbdns.answer.explain.narrate import narrate_endpoints, narrate_pools
from lbdns.answer.explain.private_words import made_words, override_words
from lbdns.answer.explain.rule_steps import rule_steps, ruled_query
from lbdns.answer.explain.signature_steps import signature_steps
from lbdns.answer.explain.view_step import NOBODY, Viewer, view_step
from lbdns.answer.match import Match, MatchKind
from lbdns.answer.reply import ASKED, Answer, Client, Records, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import DRAW_BITS, make_query
from lbdns.base.words import COORDINATES, STEERING_POLICIES
from lbdns.dns.codes import RCODE_NAMES
from lbdns.dns.name import show_absolute, show_name
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.dns.rdata.master_form import rdata_text
from lbdns.dns.rdata.record_types import type_text
from lbdns.model.configuration import Configuration
from lbdns.model.view_names import labelled, parted
from lbdns.model.virtual_network import NetworkTable
from lbdns.places import regions
from lbdns.places.centroids import centroid_name, stand_in
from lbdns.places.geodata import Geodata
from lbdns.places.place import Address, Network, Place
from lbdns.snapshot.lookup.look_up import directory_of
from lbdns.snapshot.lookup.name_rows import KIND_NAMES
from lbdns.steering.kernel.numbers import (
    LB_ECS_PREFERRED,
    LOCATED_BY_ECS,
    LOCATED_BY_NOTHING,
    LOCATED_BY_RESOLVER,
    OUTCOME_FIXED,
)
from lbdns.steering.kernel.view import Decision, Query
from lbdns.steering.policies.policy_table import POLICIES, SAME_EVERYWHERE

DEFAULT_RESOLVER = ip_address("127.0.0.1")
DRAW_SCALE = 1 << DRAW_BITS


@dataclass(frozen=True, slots=True)
class Asked:
    """What to explain: a query (`name`, `qtype`: texts), who sends it, and the draw that all random choices take.

    `scopes`: whether to count the networks that resolvers keep the answers for. `viewer`: what is supposed of the view
    that it is asked in, and `view_number` what that comes to, None where the addresses say it.
    """

    name: str
    qtype: str = "A"
    resolver: Address = DEFAULT_RESOLVER
    ecs: Network | None = None
    draw: float | None = None
    scopes: bool = False
    viewer: Viewer = NOBODY
    view_number: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer with the way to it.

    `answer`: records as texts; `ttl`: seconds for which all of them may be kept, None where there are none; `steps`:
    dictionaries with at least `stage` and `text`; `networks`: what `networks_of` counted, None where nobody asked;
    `view`: the name of the view that it is given in, None where there are none.
    """

    name: str
    qtype: str
    rcode: str
    answer: tuple[str, ...]
    ttl: int | None
    scope: int
    steps: tuple[dict[str, Any], ...]
    networks: dict[str, dict[str, Any]] | None = None
    view: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the form that `--json` prints; its keys stay."""
        told = {
            "name": self.name,
            "type": self.qtype,
            "rcode": self.rcode,
            "answer": list(self.answer),
            "ttl": self.ttl,
            "scope": self.scope,
            "steps": list(self.steps),
        }
        if self.view is not None:
            told["view"] = self.view
        return told if self.networks is None else {**told, "scopes": self.networks}


def explain(
    view: ServingView, geodata: Geodata, configuration: Configuration, asked: Asked, now_s: int, draw: int
) -> Explanation:
    """Return the answer that `respond` would give now, with its reasons.

    `configuration`: what the view's snapshot is compiled from, for the words of rules. `draw`: 64 random bits, used
    where `asked.draw` is None. Raises dns.exception.DNSException for a name or type that
    is none.
    """
    name = dns.name.from_text(asked.name)
    qtype = dns.rdatatype.from_text(asked.qtype)
    query = query_of(asked, now_s, draw)
    road, settings = Road(), configuration.settings
    reply = answer_asked(view, asked, name, qtype, query, road)
    # Before anything else is looked up: the name that rules look at is in the room of look-ups.
    rules = []
    if road.decision is not None:
        rules = rule_steps(ruled_query(view, geodata, configuration, query, qtype, road.decision))
    steps: list[dict[str, Any]] = [_asked_step(asked, name, qtype)]
    seen = None
    if settings.views:
        steps.append(view_step(asked.viewer, settings, road.view, asked.resolver, asked.ecs))
        seen = str(steps[-1]["view"])
    for found in road.matches:
        steps.append(_match_step(view, configuration, seen, found))
        steps += hidden_wildcard_steps(view, directory_of(road.view), found, qtype)
    if road.decision is not None:
        steps += rules + _decision_steps(view, geodata, configuration, asked, query, road.decision, reply)
    elif seen and asked.ecs is not None and reply.scope:
        steps.append(_scope_step(asked, None, reply))
    steps += _reply_steps(reply, asked, road)
    texts = tuple(text for records in reply.answer for text in record_texts(records, name))
    networks = networks_of(view, query if road.decision is not None else None) if asked.scopes else None
    # Last, as it decides anew: what has been decided is the view's until then.
    signed = Road(dnssec_ok=True)
    steps += signature_steps(view, answer_asked(view, asked, name, qtype, query, signed), signed, qtype)
    return Explanation(
        name=name.to_text(),
        qtype=type_text(qtype),
        rcode=RCODE_NAMES[reply.rcode],
        answer=texts,
        ttl=ttl_of(reply),
        scope=reply.scope if asked.ecs is not None else 0,
        steps=tuple(steps),
        networks=networks,
        view=seen,
    )


def answer_asked(view: ServingView, asked: Asked, name: dns.name.Name, qtype: int, query: Query, road: Road) -> Answer:
    """Return the answer to a query that is explained, and note the way to it in `road`."""
    wire, spelled = name.canonicalize().to_wire() or b"", name.to_wire() or b""
    if asked.view_number is not None:
        road.view = asked.view_number
        return answer(view, directory_of(road.view), wire, spelled, qtype, query, Transport.TCP, road)
    return answer_client(view, 0, wire, spelled, qtype, query, Transport.TCP, road)


def ttl_of(reply: Answer) -> int | None:
    """Return how long the whole answer may be kept: the smallest TTL of its records, None where it has none."""
    return min((records.ttl for records in reply.answer), default=None)


def record_texts(records: Records, asked: dns.name.Name) -> list[str]:
    """Return records in master-file form, a line each."""
    owner = asked.to_text() if records.owner == ASKED else show_absolute(records.owner)
    head = f"{owner} {records.ttl} IN {type_text(records.type)}"
    return [f"{head} {rdata_text(records.type, rdata)}" for rdata in records.rdatas]


def query_of(asked: Asked, now_s: int, draw: int) -> Query:
    """Return what decisions need to know of a query; `draw`: 64 random bits, used where `asked.draw` is None."""
    subnet = None
    if asked.ecs is not None:
        octets = (asked.ecs.prefixlen + 7) // 8
        family = 1 if asked.ecs.version == 4 else 2
        subnet = ClientSubnet(family, asked.ecs.prefixlen, asked.ecs.network_address.packed[:octets])
    query = make_query(Client(asked.resolver.packed, 53), subnet, now_s, draw)
    if asked.draw is not None:
        query.draw_fixed = True
        query.draw_base = min(int(asked.draw * DRAW_SCALE), DRAW_SCALE - 1)
    return query


def _asked_step(asked: Asked, name: dns.name.Name, qtype: dns.rdatatype.RdataType) -> dict[str, Any]:
    text = f"{name} {type_text(qtype)}, from resolver {asked.resolver}"
    if asked.ecs is not None:
        text += f", for clients in {asked.ecs} (ECS)"
    if asked.draw is not None:
        text += f", every draw {asked.draw:g}"
    return {"stage": "query", "text": text, "resolver": str(asked.resolver), "ecs": asked.ecs and str(asked.ecs)}


def _match_step(view: ServingView, configuration: Configuration, seen: str | None, found: Match) -> dict[str, Any]:
    """Say what stands at a name; `seen` is the view whose client asks, None where there are no views."""
    if found.kind is MatchKind.OUT_OF_ZONE:
        return {"stage": "match", "text": "in none of the zones served here", "kind": KIND_NAMES[found.kind.value]}
    apex = view.name(view.columns["zone_apex"][found.zone])
    zone = labelled(show_name(apex), _zone_view(configuration, apex, seen))
    made = made_words(configuration, apex)
    at = show_name(view.name(found.entry))
    texts = {
        MatchKind.REFERRAL: f"delegated at {at}: a referral to its name servers",
        MatchKind.HIT: f"records at {at}",
        MatchKind.CNAME: f"a CNAME at {at}, followed",
        MatchKind.DNAME: f"a DNAME at {at}, followed",
        MatchKind.NODATA: f"{at} exists, with nothing of this type (a disabled load balancer counts as none)",
        MatchKind.UNREADY: "a mistake in its file keeps it from being served; `lbdns status` names it",
        MatchKind.NXDOMAIN: f"nothing there; the closest name that exists is {at}",
    }
    step = {"stage": "match", "zone": zone, "at": at, "kind": KIND_NAMES[found.kind.value]}
    if found.kind is MatchKind.STEERED:
        policy = POLICIES[view.columns["lb_policy"][found.load_balancer]]
        name, of_view = parted(view.text("lb_text", found.load_balancer))
        words = f"load balancer {labelled(name, of_view)}{override_words(at, name)} in zone {zone}{made}"
        return {**step, "text": f'{words}, policy "{policy}"', "policy": policy}
    own = ", the view's own" if _is_own(configuration, apex, seen, found) else ""
    return {**step, "text": f"zone {zone}{made}: {texts[found.kind]}{own}"}


def _zone_view(configuration: Configuration, apex: bytes, seen: str | None) -> str:
    """Return the view that a zone is of which a view sees, "" where everybody does."""
    return seen if seen and any(zone.view == seen and zone.apex == apex for zone in configuration.zones) else ""


def _is_own(configuration: Configuration, apex: bytes, seen: str | None, found: Match) -> bool:
    """Return whether the records that were found are what a view sees in place of what everybody does."""
    overlays = (one for one in configuration.overlays if seen and one.view == seen and one.apex == apex)
    own = {(rrset.owner, rrset.type, rrset.rdatas) for overlay in overlays for rrset in overlay.rrsets}
    return any((one.owner, one.type, one.rdatas) in own for one in found.rrsets)


def _networks(configuration: Configuration) -> dict[str, list[str]]:
    """Return the virtual networks of the endpoints of each pool, of those pools that have any."""
    table = NetworkTable.of(configuration.virtual_networks, configuration.routes)
    if not table.names:
        return {}
    found = {pool.name: [table.network_of(one) for one in pool.origins] for pool in configuration.pools.values()}
    return {name: networks for name, networks in found.items() if any(networks)}


def _decision_steps(
    view: ServingView,
    geodata: Geodata,
    configuration: Configuration,
    asked: Asked,
    query: Query,
    decision: Decision,
    reply: Answer,
) -> list[dict[str, Any]]:
    last = [_scope_step(asked, decision, reply), _ttl_step(view, decision, ttl_of(reply))]
    if decision.outcome == OUTCOME_FIXED:
        return last
    return [
        _location_step(view, geodata, asked, query, decision),
        *narrate_pools(view, query, decision),
        *narrate_endpoints(view, query, decision, _networks(configuration)),
        *last,
    ]


def _location_step(
    view: ServingView, geodata: Geodata, asked: Asked, query: Query, decision: Decision
) -> dict[str, Any]:
    """Say whose place counted and what it is; the place is looked up again only to be printed."""
    pop = view.pop or "not configured"
    policy = POLICIES[view.columns["lb_policy"][decision.lb]]
    step: dict[str, Any]
    if decision.location_source == LOCATED_BY_NOTHING:
        # The policy asks for no place, or no place known would change anything.
        step = {"source": None, "text": SAME_EVERYWHERE[policy].format(pop=pop)}
    elif decision.location_source == LOCATED_BY_RESOLVER:
        found = geodata.locate(asked.resolver)
        where = f"{_place_text(found.place, policy)}, network {found.network}"
        step = {"source": "resolver", "text": f"{where}, by the resolver's address"}
    else:
        by_ecs = decision.location_source == LOCATED_BY_ECS and asked.ecs is not None
        known = geodata.locate(asked.ecs.network_address) if by_ecs and asked.ecs is not None else None
        if known is not None and _suffices(policy, known.place):
            where = f"{_place_text(known.place, policy)}, network {known.network}"
            step = {"source": "ecs", "text": f"{where}, by the client's ECS"}
        else:
            where = f"this PoP ({pop}): {_place_text(Place(*view.snapshot.meta['place']), policy)}"
            step = {"source": "pop", "text": where + _why_not_by_ecs(view, query, decision)}
    return {"stage": "location", **step}


def _suffices(policy: str, place: Place) -> bool:
    """Return whether a place says what a policy looks at."""
    return stand_in(place).latitude is not None if _compares_coordinates(policy) else bool(place.country)


def _compares_coordinates(policy: str) -> bool:
    _, compared = STEERING_POLICIES[policy]
    return compared == COORDINATES


def _why_not_by_ecs(view: ServingView, query: Query, decision: Decision) -> str:
    """Say why a client subnet that counts did not tell the place, "" where there was none."""
    if not query.ecs_bits or not view.columns["lb_flags"][decision.lb] & LB_ECS_PREFERRED:
        return ""
    return "; the ECS network has no known place" if decision.ecs_used else "; the ECS address is private"


def _place_text(place: Place, policy: str) -> str:
    """Say what is known of a place; a centroid is told where a policy compares coordinates."""
    if place == Place():
        return "an unknown place"
    parts = [place.country or "unknown country"]
    if place.subdivision:
        parts[0] += f"-{place.subdivision}"
    region = regions.region_of(place.country, place.subdivision)
    if region:
        parts.append(f"region {region}")
    centroid = centroid_name(place) if _compares_coordinates(policy) else ""
    located_at = stand_in(place) if centroid else place
    if located_at.latitude is not None and located_at.longitude is not None:
        text = f"{located_at.latitude:.2f}, {located_at.longitude:.2f}"
        parts.append(f"{text} (centroid of {centroid})" if centroid else text)
    return ", ".join(parts)


def _scope_step(asked: Asked, decision: Decision | None, reply: Answer) -> dict[str, Any]:
    if asked.ecs is None:
        return {"stage": "scope", "text": "none: the query carries no ECS", "scope": 0}
    scope = reply.scope
    if scope == 0:
        return {"stage": "scope", "text": "/0: this answer is the same for every client", "scope": 0}
    covered = ip_network(f"{asked.ecs.network_address}/{scope}", strict=False)
    why = "every client there is answered alike"
    if decision is None or scope > decision.scope:
        why += ", by views"
    elif scope == decision.rule_scope:
        why += ", by rules or pool sets"
    return {"stage": "scope", "text": f"/{scope}: {covered}; {why}", "scope": scope}


def _ttl_step(view: ServingView, decision: Decision, answer_ttl_s: int | None) -> dict[str, Any]:
    configured = view.columns["lb_ttl"][decision.lb]
    text = f"{decision.ttl} s, the load balancer's"
    if configured != view.columns["lb_ttl"][decision.base]:
        text = f"{decision.ttl} s, by rules"
    if decision.ttl < configured:
        text = f"{decision.ttl} s: what the hostname's resolution has left (the load balancer's is {configured} s)"
    if answer_ttl_s is not None and answer_ttl_s < decision.ttl:
        text += f"; the whole answer lives {answer_ttl_s} s, as its alias does"
    return {"stage": "ttl", "text": text, "ttl": decision.ttl}


def _reply_steps(reply: Answer, asked: Asked, road: Road) -> list[dict[str, Any]]:
    if reply.answer or not reply.authority or not reply.is_authoritative:
        return []
    ttl = reply.authority[0].ttl
    return [{"stage": "negative", "text": f"{RCODE_NAMES[reply.rcode]} without records, kept for {ttl} s (SOA)"}]
