"""A zone's SOA: its fields as the API has them, the record they make, and the serial that counts changes."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from lbdns.base.json_values import Report, is_text, whole_number
from lbdns.base.wording import unknown_field, wrong_number
from lbdns.dns import record_bounds
from lbdns.dns.name import BadName, encode_host, name_end, show_host

TIMES: Final = {"refresh": 7200, "retry": 900, "expire": 1_209_600, "minimum": 300}
"""In seconds, in the order of the record, with their defaults."""
DEFAULT_TTL_S: Final = 3600
FIELDS: Final = ("mname", "rname", *TIMES, "ttl")
UINT32_MAX: Final = 2**32 - 1
_SERIALS: Final = 2**32
_FIRST_OF_DAY: Final = 1
_DAY_S: Final = 86_400
_MAILBOX: Final = re.compile(r"((?:[^\\@]|\\.)*)@(.*)", re.DOTALL)
"""The local part of a mail address, which ends at the first @ that is not escaped, and its domain."""
_DOT_OR_ESCAPE: Final = re.compile(r"(\\.)|\.", re.DOTALL)


def default_soa(zone_name: str) -> dict[str, Any]:
    """Return the SOA of a zone that nothing is known of but its name."""
    return {
        "mname": f"ns1.{zone_name}",
        "rname": f"hostmaster.{zone_name}",
        **TIMES,
        "ttl": DEFAULT_TTL_S,
    }


def canonical_soa(given: Any, zone_name: str, report: Report) -> dict[str, Any]:
    """Return every field of an SOA; what is not given stands at its default, and mistakes are reported."""
    made = default_soa(zone_name)
    if given is None:
        return made
    if not isinstance(given, Mapping):
        report("", f"expected an object with {', '.join(FIELDS)}")
        return made
    for key, value in given.items():
        if value is None:
            continue
        if key not in made:
            report(str(key), unknown_field(str(key), FIELDS))
        elif key in ("mname", "rname"):
            made[key] = _name(key, value, zone_name, report) or made[key]
        else:
            most = record_bounds.MAX_TTL_S if key == "ttl" else UINT32_MAX
            number = whole_number(value)
            if number is None or not 0 <= number <= most:
                report(key, wrong_number(value, f"expected seconds from 0 to {most}"))
            else:
                made[key] = number
    return made


def _name(key: str, value: Any, zone_name: str, report: Report) -> str | None:
    if not isinstance(value, str) or not is_text(value):
        report(key, "expected a name")
        return None
    try:
        return show_host(encode_host(_mailbox_name(value) if key == "rname" else value, zone_name))
    except BadName as error:
        report(key, str(error))
        return None


def _mailbox_name(text: str) -> str:
    """Return the name that stands for a mail address, RFC 1035 section 8; what is none is the name already."""
    found = _MAILBOX.fullmatch(text)
    if found is None or text == "@":
        return text
    local, domain = found.groups()
    if not local or not domain or "@" in domain:
        raise BadName(f'"{text}" is no mailbox; expected one such as hostmaster@example.com')
    return _DOT_OR_ESCAPE.sub(lambda one: one[1] or r"\.", local) + "." + domain


def soa_rdata(soa: Mapping[str, Any], serial: int, zone_name: str) -> bytes:
    """Return the SOA's data in wire format; raises BadName, KeyError or struct.error for one with mistakes."""
    names = b"".join(encode_host(soa[key], zone_name) for key in ("mname", "rname"))
    return names + struct.pack("!5I", serial, *(soa[key] for key in TIMES))


def soa_of(rdata: bytes, ttl_s: int) -> tuple[dict[str, Any], int]:
    """Return the fields of an SOA record, and its serial."""
    at = name_end(rdata, 0)
    end = name_end(rdata, at)
    serial, *times = struct.unpack_from("!5I", rdata, end)
    soa = {"mname": show_host(rdata[:at]), "rname": show_host(rdata[at:end])}
    return {**soa, **dict(zip(TIMES, times, strict=True)), "ttl": ttl_s}, serial


def first_serial(now_s: int) -> int:
    """Return the serial of a new zone: YYYYMMDD01."""
    return _first_of_day(now_s // _DAY_S)


@lru_cache(maxsize=8)
def _first_of_day(day: int) -> int:
    """Return the same of a day since 1970; kept, since each dynamic update asks for it."""
    return int(datetime.fromtimestamp(day * _DAY_S, UTC).strftime("%Y%m%d")) * 100 + _FIRST_OF_DAY


def raised_serial(old: int, now_s: int) -> int:
    """Return the next serial, which secondaries take for newer (RFC 1982).

    One of the form YYYYMMDDnn moves on to today, or counts on within its day; any other counts on, 0 left out.
    """
    today = first_serial(now_s)
    if today > old and _is_date(old // 100):
        return today
    return (old + 1) % _SERIALS or 1


@lru_cache(maxsize=256)
def _is_date(number: int) -> bool:
    """Return whether a number is a date as YYYYMMDD, of 1980 or later."""
    try:
        return datetime.strptime(f"{number:08d}", "%Y%m%d").year >= 1980
    except ValueError:
        return False
