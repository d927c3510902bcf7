"""What a type's data may not be, though dnspython reads it from the wire: no text says it, or its RFC forbids it.

Other servers refuse such data: BIND ends the transfer of a zone that has it, so that whoever may change one name could
keep the whole zone from its secondaries. So nobody makes a record with it; one that is there already is served, shown
and deleted as it is. `tests/dns/test_unsound.py` asks BIND.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lbdns.dns.codes import TYPE_CDNSKEY, TYPE_DNSKEY, TYPE_HTTPS, TYPE_RRSIG, TYPE_SVCB
from lbdns.dns.name import checked_name_end, name_end
from lbdns.dns.rdata.extended_regex import BadRegex, count_groups
from lbdns.dns.rdata.mandatory import missing_field

_PRIVATE_BY_NAME: Final = 253
"""The algorithm whose keys begin with a domain name (RFC 4034 appendix A.1.1)."""
_DIGEST_OCTETS: Final = {1: 20, 2: 32, 4: 48}
_BITMAP_OCTETS_MAX: Final = 16
_DOH_PATH: Final = 7
_PREFIX_BITS_MAX: Final = 128
_PATH_OPERATORS: Final = b"+#./;?&"
"""Of expressions in URI templates (RFC 6570 section 2.2)."""

Reason = Callable[[bytes], str]
"""Data -> what is wrong with it, "" where nothing is."""


def unsound_reason(rdtype: int, rdata: bytes) -> str:
    """Return why no record may be made with some data, "" where one may. The rest of `rdata` is sound."""
    field = missing_field(rdtype, rdata)
    if field is not None:
        return f"its {field} is missing"
    reason = _REASONS.get(rdtype)
    return "" if reason is None else reason(rdata)


def _obsolete(_: bytes) -> str:
    return "it is obsolete (RFC 973): MX takes its place"


def _services(rdata: bytes) -> str:
    """WKS (RFC 1035 section 3.4.2): one set of services has one form, which dynamic updates delete it by."""
    return "its map of services ends with zeros" if len(rdata) > 5 and not rdata[-1] else ""


def _x25_address(rdata: bytes) -> str:
    """X25 (RFC 1183 section 3.1)."""
    return "" if len(rdata) > 4 and rdata[1:].isdigit() else "its address is not four digits or more"


def _has_name_at(rdata: bytes, start: int) -> int | None:
    """Return where an uncompressed name ends, None where there is none."""
    end = checked_name_end(rdata, start)
    return end if end is not None and end <= len(rdata) else None


def _private_key(rdata: bytes) -> str:
    is_private = len(rdata) > 4 and rdata[3] == _PRIVATE_BY_NAME
    return "its key does not begin with a name" if is_private and _has_name_at(rdata, 4) is None else ""


def _signer(rdata: bytes) -> str:
    """RRSIG: who signs stands above what is signed, so that has no fewer labels (RFC 4034 section 3.1.3)."""
    labels, at = 0, 18
    while rdata[at]:
        labels, at = labels + 1, at + 1 + rdata[at]
    return "its number of labels is less than its signer's name has" if labels > rdata[3] else ""


def _next_name(rdata: bytes) -> str:
    """NXT (RFC 2535 section 5.2)."""
    end = _has_name_at(rdata, 0)
    if end is None:
        return "it does not begin with a name"
    bitmap = rdata[end:]
    is_sound = not bitmap or (bitmap[0] < 0x80 and len(bitmap) <= _BITMAP_OCTETS_MAX and bitmap[-1])
    return "" if is_sound else "its map of types is not sound"


def _atm_address(rdata: bytes) -> str:
    """ATMA (ATM Name System 2.0): a format, and an address, in format 1 of digits."""
    is_sound = len(rdata) > 1 and (rdata[0] != 1 or rdata[1:].isdigit())
    return "" if is_sound else "its address is not one of its format"


def _substitution(rdata: bytes) -> str:
    """NAPTR (RFC 3402 section 3.2): nothing, or DELIMITER expression DELIMITER replacement DELIMITER flags."""
    at = 4
    for _ in range(2):
        at += 1 + rdata[at]
    regexp = rdata[at + 1 : at + 1 + rdata[at]]
    return (
        ""
        if not regexp or _is_substitution(regexp)
        else "its regexp is no substitution, such as !^.*$!sip:a@b.example!"
    )


def _is_substitution(regexp: bytes) -> bool:
    delimiter = regexp[:1]
    if delimiter.isdigit() or delimiter in (b"\\", b"i") or 0 in regexp:
        return False
    fields, at = [b""], 1
    while at < len(regexp):
        octet = regexp[at : at + 1]
        if octet == b"\\" and len(fields) < 3:
            octet = regexp[at : at + 2]
        at += len(octet)
        if octet == b"\\":
            return False
        if octet == delimiter:
            fields.append(b"")
        else:
            fields[-1] += octet
    if len(fields) != 3 or fields[2].strip(b"i"):
        return False
    try:
        groups = count_groups(fields[0])
    except BadRegex:
        return False
    return all(0 < int(digit) <= groups for digit in _back_references(fields[1]))


def _back_references(replacement: bytes) -> list[bytes]:
    """Return the digits behind backslashes."""
    at, found = 0, []
    while at < len(replacement) - 1:
        if replacement[at : at + 1] == b"\\":
            at += 1
            if replacement[at : at + 1].isdigit():
                found.append(replacement[at : at + 1])
        at += 1
    return found


def _chained_address(rdata: bytes) -> str:
    """A6 (RFC 2874 section 3.1)."""
    reason = "it is no prefix length, suffix and name"
    if not rdata or rdata[0] > _PREFIX_BITS_MAX:
        return reason
    suffix = 16 - rdata[0] // 8
    mask = 0xFF >> rdata[0] % 8
    if len(rdata) < 1 + suffix or (suffix and rdata[1] & ~mask):
        return reason
    end = 1 + suffix if not rdata[0] else _has_name_at(rdata, 1 + suffix)
    return "" if end == len(rdata) else reason


def _key_rendezvous(rdata: bytes) -> str:
    """RKEY (draft-reid-dnsext-rkey)."""
    return _private_key(rdata) if len(rdata) > 4 and not any(rdata[:2]) else "it is no key with flags of zero"


def _linked_names(rdata: bytes) -> str:
    """TALINK (draft-wijngaards-dnsop-trust-history)."""
    end = _has_name_at(rdata, 0)
    is_sound = end is not None and _has_name_at(rdata, end) == len(rdata)
    return "" if is_sound else "it is not two names"


def _object(rdata: bytes) -> str:
    """DOA (draft-durand-doa-over-dns): ten octets, the last of which counts those of a media type."""
    is_sound = len(rdata) > 9 and len(rdata) >= 10 + rdata[9]
    return "" if is_sound else "it is no object"


def _digest(rdata: bytes) -> str:
    """TA, as DS."""
    is_sound = len(rdata) > 4 and len(rdata) - 4 == _DIGEST_OCTETS.get(rdata[3], len(rdata) - 4)
    return "" if is_sound else "its digest is none of its type"


def _service_path(rdata: bytes) -> str:
    """SVCB and HTTPS: a dohpath is a relative URI template with the variable "dns" (RFC 9461 section 5)."""
    at = name_end(rdata, 2)
    while at < len(rdata):
        key, length = int.from_bytes(rdata[at : at + 2]), int.from_bytes(rdata[at + 2 : at + 4])
        value, at = rdata[at + 4 : at + 4 + length], at + 4 + length
        if key == _DOH_PATH and not _is_doh_path(value):
            return 'its dohpath is no path with the variable "dns", such as /dns-query{?dns}'
    return ""


def _is_doh_path(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    has_variable = False
    _, *rest = path.split(b"{")
    for one in rest:
        expression, brace, literal = one.partition(b"}")
        if not brace or b"}" in literal:
            return False
        variables = expression.lstrip(_PATH_OPERATORS).split(b",")
        has_variable = has_variable or b"dns" in variables
    return path.startswith(b"/") and b"}" not in path.partition(b"{")[0] and has_variable


def _at_least(octets: int) -> Reason:
    return lambda rdata: "" if len(rdata) >= octets else f"it is shorter than {octets} octets"


_REASONS: Final[Mapping[int, Reason]] = {
    3: _obsolete,  # MD
    4: _obsolete,  # MF
    11: _services,  # WKS
    19: _x25_address,  # X25
    25: _private_key,  # KEY
    30: _next_name,  # NXT
    31: _at_least(1),  # EID
    32: _at_least(1),  # NIMLOC
    34: _atm_address,  # ATMA
    35: _substitution,  # NAPTR
    38: _chained_address,  # A6
    40: _at_least(3),  # SINK
    TYPE_RRSIG: _signer,
    TYPE_DNSKEY: _private_key,
    57: _key_rendezvous,  # RKEY
    58: _linked_names,  # TALINK
    TYPE_CDNSKEY: _private_key,
    TYPE_SVCB: _service_path,
    TYPE_HTTPS: _service_path,
    67: _at_least(1),  # HHIT
    68: _at_least(1),  # BRID
    259: _object,  # DOA
    32768: _digest,  # TA
}
