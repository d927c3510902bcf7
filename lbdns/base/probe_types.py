"""The probe types, a row each: all that the house knows of a type beside the module that makes its probes.

The types that a monitor may have, the ports and settings that they need, the choices of the command line, the schema of
the API and the warnings about settings that do not act follow from these rows.
"""

from __future__ import annotations

from typing import Final, NamedTuple

NOT_CHECKED: Final = 0
"""The number of an endpoint that nobody probes, and whose address needs no looking up (lbdns/snapshot/checked.py)."""
HTTP_FIELDS: Final = (
    "method",
    "path",
    "expected_codes",
    "expected_body",
    "header",
    "follow_redirects",
    "allow_insecure",
    "client_certificate",
    "client_key",
)


class ProbeType(NamedTuple):
    """One row. `module`, of lbdns/monitor/probes, makes the probes; a `default_port` of 0 is none.

    `own_fields` are those of a monitor that act with this type, and with no other that has not got them as well.
    `is_tcp`: its probes are connections, which a proxy carries.
    """

    name: str
    module: str
    needs_port: bool
    default_port: int = 0
    own_fields: tuple[str, ...] = ()
    is_tcp: bool = True


PROBE_TYPES: Final = {
    row.name: row
    for row in (
        ProbeType("http", "http", needs_port=False, default_port=80, own_fields=HTTP_FIELDS),
        ProbeType("https", "http", needs_port=False, default_port=443, own_fields=HTTP_FIELDS),
        ProbeType("tcp", "tcp", needs_port=True),
        ProbeType("udp_icmp", "udp", needs_port=True, is_tcp=False),
        ProbeType("icmp_ping", "icmp", needs_port=False, is_tcp=False),
        ProbeType("smtp", "smtp", needs_port=True),
        ProbeType("ldap", "ldap", needs_port=True),
    )
}

OWN_FIELDS: Final = tuple(dict.fromkeys(field for row in PROBE_TYPES.values() for field in row.own_fields))
"""The fields of a monitor that act with some types only."""


def acts(type_: str, field: str) -> bool:
    """Whether a monitor's field acts with a type: it is one of the type's own, or no type's own."""
    return field in PROBE_TYPES[type_].own_fields or field not in OWN_FIELDS


def types_with(field: str) -> list[str]:
    """Return the types whose own a field is."""
    return [row.name for row in PROBE_TYPES.values() if field in row.own_fields]


def port_help() -> str:
    """Return what the command line says of a monitor's port."""
    default = ", ".join(f"{row.default_port} for {row.name}" for row in PROBE_TYPES.values() if row.default_port)
    *others, last = (row.name for row in PROBE_TYPES.values() if row.needs_port)
    return f"Default: {default}; {', '.join(others)} and {last} need it."
