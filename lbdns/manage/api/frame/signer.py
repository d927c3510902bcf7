"""What routes that ask the running server's signer share: a zone's status, and a verb done to a zone."""

from __future__ import annotations

from typing import Any, Final

from lbdns.base.kinds import Kind
from lbdns.config.keyed_zones import keys_file
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.signature_times import denial_ttl_s
from lbdns.dnssec.zone_status import SigningState, ZoneStatus
from lbdns.manage.api.frame.auth import Caller
from lbdns.manage.api.frame.live import operate
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.store.guarding import refuse_if_guarded

_OPERATION: Final = "dnssec"
COMPACT: Final = "compact"
"""The denial that is made for the name asked: nothing lies between two others."""


def zone_name_of(site: ApiSite, zone_id: str) -> str:
    """Return the name of a zone that there is: a path below it was found."""
    zone = site.state.get(Kind.ZONE, zone_id)
    assert zone is not None, "own_zone has found it"
    return zone.name


async def status_of(site: ApiSite, zone_id: str) -> ZoneStatus:
    """Return how a zone stands; raises ApiError where it has keys and no server runs."""
    name = zone_name_of(site, zone_id)
    if site.manager.running is None and not has_keys(site, name):
        return ZoneStatus(name, SigningState.DISABLED, 0.0)
    return ZoneStatus.from_json(await operate(site, _OPERATION, {"verb": "status", "zone": name}))


async def all_signed(site: ApiSite) -> list[ZoneStatus]:
    """Return the zones that have keys; raises ApiError where no server runs."""
    return [ZoneStatus.from_json(one) for one in await operate(site, _OPERATION, {"verb": "status"})]


async def have_signer(site: ApiSite, caller: Caller, zone_id: str, verb: str, **arguments: Any) -> ZoneStatus:
    """Have the signer do a verb to a zone, and return how that stands then; raises ApiError and LbdnsError."""
    refuse_if_guarded("what the signer does")
    request = {"verb": verb, "zone": zone_name_of(site, zone_id), "by": caller.author, **arguments}
    return ZoneStatus.from_json(await operate(site, _OPERATION, request))


def has_keys(site: ApiSite, name: str) -> bool:
    """Tell whether a zone has keys here, whether a server runs or not."""
    return keys_file(site.settings.state_dir(), encode_canonical(name)).exists()


def tell_of_new(site: ApiSite, zone_id: str) -> None:
    """Tell for how long what was just made in a zone may stay unseen, where it is signed with a chain of its names:
    resolvers deny by themselves what lies between two of them (RFC 8198)."""
    zone = site.state.get(Kind.ZONE, zone_id)
    if zone is None or not has_keys(site, zone.name):
        return
    policy = site.in_force.dnssec.policy_of(zone.name)
    soa = zone.body["soa"]
    has_balancers = any(one.zone_id == zone_id for one in site.state.all(Kind.LOAD_BALANCER).values())
    ttl_s = denial_ttl_s(min(soa["ttl"], soa["minimum"]), has_balancers, policy.nsec_ttl)
    if policy.denial != COMPACT and ttl_s:
        tell(
            f"the zone {zone.name} is signed: resolvers that know what stands beside a new name or type may not see it "
            f"for {ttl_s} s, the TTL of its {policy.denial.upper()} records (dnssec.nsec_ttl; denial: compact has none)"
        )
