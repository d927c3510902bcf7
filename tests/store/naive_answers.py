"""What a naive world answers: every reply that would be right. It imports nothing of lbdns.

A reply is (rcode, TTL, data): the TTL of the records at the name asked for, None where there are none; their data as
text. The rcode is None where it is that of an alias's target, which is not followed here.
"""

from __future__ import annotations

from tests.store.naive_store import AUTOMATIC_TTL_S, Body, World, is_ip, nodes, owner_at, records_of

Reply = tuple[str | None, int | None, frozenset[str]]

NOTHING: frozenset[str] = frozenset()
VERSIONS = {"A": 4, "AAAA": 6}


def replies(world: World, name: str, rdtype: str) -> set[Reply]:
    """Return every right reply."""
    zone = world.zone_id(name)
    if zone is None:
        return {("REFUSED", None, NOTHING)}
    records = list(records_of(world, zone).values())
    owner = owner_at(name, world.zones[zone]["name"], nodes(world, records))
    if owner is None:
        return {("NXDOMAIN", None, NOTHING)}
    for balancer in world.balancers.values():
        if balancer["name"] == owner and balancer["enabled"]:
            if rdtype in VERSIONS:
                ttl = balancer["ttl"]
                return {("NOERROR", ttl if data else None, data) for data in steered(world, balancer, rdtype)}
            records = [record for record in records if record["type"] != "CNAME" or record["name"] != owner]
    here = [record for record in records if record["name"] == owner]
    alias = [record for record in here if record["type"] == "CNAME"]
    found = alias or [record for record in here if record["type"] == rdtype]
    if not found:
        return {("NOERROR", None, NOTHING)}
    ttl = min(AUTOMATIC_TTL_S if record["ttl"] == 1 else record["ttl"] for record in found)
    rcode = None if alias and rdtype != "CNAME" else "NOERROR"
    return {(rcode, ttl, frozenset(map(data_text, found)))}


def data_text(record: Body) -> str:
    """Return a record's data as master files say it."""
    if record["type"] == "MX":
        return f"{record['priority']} {record['content']}."
    return f"{record['content']}." if record["type"] in ("CNAME", "NS") else str(record["content"])


def steered(world: World, balancer: Body, rdtype: str) -> set[frozenset[str]]:
    """Return every right set of addresses. Nobody answers the probes: a monitored pool is always down."""
    usable = [
        pool
        for pool in (world.pools[id] for id in balancer["default_pools"])
        if pool["enabled"] and any(origin["enabled"] for origin in pool["origins"])
        if not pool["monitor"] and not pool["monitor_group"]
    ]
    if not usable:
        usable = [world.pools[balancer["fallback_pool"]]]
    if balancer["steering_policy"] != "random":
        usable = usable[:1]
    return {addresses for pool in usable for addresses in endpoints(pool, VERSIONS[rdtype])}


def endpoints(pool: Body, version: int) -> set[frozenset[str]]:
    if not pool["enabled"]:
        return {NOTHING}
    there = [origin for origin in pool["origins"] if origin["enabled"] and is_ip(origin["address"], version)]
    if len({origin["weight"] for origin in there}) <= 1:
        return {frozenset(origin["address"] for origin in there)}
    return {frozenset({origin["address"]}) for origin in there if origin["weight"] > 0}
