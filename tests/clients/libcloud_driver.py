"""libcloud's DNS driver: steps are [method, arguments, named ones]; zones and records go by their names."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import libcloud.security  # type: ignore[import-not-found]
from libcloud.dns.base import Record, Zone  # type: ignore[import-not-found]
from libcloud.dns.providers import get_driver  # type: ignore[import-not-found]
from libcloud.dns.types import Provider, RecordAlreadyExistsError  # type: ignore[import-not-found]

libcloud.security.CA_CERTS_PATH = os.environ["SSL_CERT_FILE"]
driver = get_driver(Provider.CLOUDFLARE)(os.environ["CLOUDFLARE_API_TOKEN"], host="api.example.org")


def zone_of(domain: str) -> Any:
    """Return the zone of this name."""
    (found,) = [zone for zone in driver.list_zones() if zone.domain == domain]
    return found


def plain(result: Any) -> Any:
    """Return zones and records as JSON has them."""
    if isinstance(result, list):
        return [plain(one) for one in result]
    if isinstance(result, Zone):
        return {"id": result.id, "domain": result.domain}
    if isinstance(result, Record):
        return {"name": result.name, "type": result.type, "data": result.data, "ttl": result.ttl}
    return result


def take(op: str, arguments: list[Any], more: dict[str, Any]) -> Any:
    """Do one step."""
    if op == "create_record":
        name, domain, *rest = arguments
        return driver.create_record(name, zone_of(domain), *rest, **more)
    if op in ("update_record", "delete_record"):
        name, domain = arguments
        (record,) = [one for one in driver.list_records(zone_of(domain)) if one.name == name]
        return getattr(driver, op)(record, **more)
    if op in ("list_records", "export_zone_to_bind_format", "delete_zone"):
        arguments = [zone_of(arguments[0])]
    return getattr(driver, op)(*arguments, **more)


for op, arguments, more in json.loads(sys.argv[1]):
    try:
        result = plain(take(op, arguments, more))
    except RecordAlreadyExistsError:
        result = {"raised": "RecordAlreadyExistsError"}
    print("=", json.dumps(result))
