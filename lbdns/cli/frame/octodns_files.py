"""An export as octoDNS's files: its configuration, and a YAML file for each zone.

    octodns.yaml     providers: these files, and lbdns by RFC 2136 (octodns-bind); each zone from one to the other
    zones/ZONE.yaml  the records of a zone, but for its SOA

What load balancers answer is no record: a filter leaves the names alone that have one. Where the server is, and the key
that signs, comes from the environment: LBDNS_HOST, LBDNS_PORT, LBDNS_TSIG_NAME and LBDNS_TSIG_SECRET.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.master.reader import read_master
from lbdns.dns.name import encode_canonical, relative_to, show_name
from lbdns.dns.rdata.master_form import rdata_text
from lbdns.dns.rdata.record_types import type_text
from lbdns.dns.zone import RRset, Zone
from lbdns.model.view_names import parted, unlabelled

Value = str | dict[str, Any]
CONFIGURATION: Final = "octodns.yaml"
ZONES: Final = "zones"
_SUFFIX: Final = ".zone"
_BALANCERS: Final = "load_balancers.yaml"
_PROVIDERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "files": {
        "class": "octodns.provider.yaml.YamlProvider",
        "directory": f"./{ZONES}",
        "default_ttl": 3600,
        "enforce_order": False,
    },
    "lbdns": {
        "class": "octodns_bind.Rfc2136Provider",
        "host": "env/LBDNS_HOST",
        "port": "env/LBDNS_PORT/53",
        "key_name": "env/LBDNS_TSIG_NAME",
        "key_secret": "env/LBDNS_TSIG_SECRET",
        "key_algorithm": "hmac-sha256",
    },
}


def octodns_files(files: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return an export's files as octoDNS's, and what these cannot say, a sentence each. Raises LbdnsError."""
    made: dict[str, str] = {}
    left: Counter[str] = Counter()
    config: dict[str, Any] = {"providers": {name: dict(one) for name, one in _PROVIDERS.items()}, "zones": {}}
    balancers = _balancers(files.get(_BALANCERS, ""))
    for file in [name for name in files if name.endswith(_SUFFIX)]:
        label = file.removesuffix(_SUFFIX).replace("\\047", "/")
        if parted(label)[1]:
            left[f"records that views see ({label})"] += 1
            continue
        zone = _zone(label, files[file])
        made[f"{ZONES}/{label.replace('/', '_')}.yaml"] = _dumped(_records(zone, left))
        config["zones"][f"{label}."] = {"sources": ["files"], "targets": ["lbdns"]}
        steered = sorted({relative for name in balancers if (relative := _relative(name, label)) is not None})
        if steered:
            name = f"steered-{label}"
            filtering = {"class": "octodns.processor.filter.NameRejectlistFilter", "rejectlist": steered}
            config.setdefault("processors", {})[name] = filtering
            config["zones"][f"{label}."]["processors"] = [name]
    made[CONFIGURATION] = _dumped(config)
    return made, tuple(f"{what}: left out, write them by hand" for what in left)


def _zone(label: str, text: str) -> Zone:
    draft = read_master(text, encode_canonical(label), f"{label}{_SUFFIX}", None, Path.read_text)
    problems = [problem for problem in draft.problems if problem.severity == "error"]
    if problems:
        raise LbdnsError("\n".join(map(str, problems)))
    return draft.finish()


def _balancers(text: str) -> list[str]:
    """Return the names that load balancers answer."""
    found = yaml.safe_load(text) if text else None
    return [unlabelled(str(one["name"])) for one in (found or {}).get("load_balancers", ())]


def _relative(name: str, zone: str) -> str | None:
    """Return a name as a zone's file has it, None where it is in another."""
    if name == zone:
        return ""
    return name.removesuffix(f".{zone}") if name.endswith(f".{zone}") else None


def _records(zone: Zone, left: Counter[str]) -> dict[str, Any]:
    records: dict[str, list[dict[str, Any]]] = {}
    for rrset in zone.rrsets:
        if rrset.type == TYPE_SOA:
            continue
        mnemonic = type_text(rrset.type)
        value = _VALUES.get(mnemonic)
        if value is None:
            left[f"records of the type {mnemonic}"] += len(rrset.rdatas)
            continue
        name = "" if rrset.owner == zone.apex else show_name(relative_to(rrset.owner, zone.apex))
        values = [value(rrset, rdata) for rdata in rrset.rdatas]
        data = {"value": values[0]} if len(values) == 1 else {"values": values}
        records.setdefault(name, []).append({"type": mnemonic, "ttl": rrset.ttl, **data})
    return {name: several[0] if len(several) == 1 else several for name, several in records.items()}


def _dumped(value: Any) -> str:
    text: str = yaml.safe_dump(value, explicit_start=True, width=120, allow_unicode=True)
    return text


def _whole(rrset: RRset, rdata: bytes) -> Value:
    return rdata_text(rrset.type, rdata)


def _fields(*names: str) -> Callable[[RRset, bytes], Value]:
    """Return what makes a mapping of data whose parts are words and numbers, the last of which may have spaces."""

    def value(rrset: RRset, rdata: bytes) -> Value:
        words = rdata_text(rrset.type, rdata).split(maxsplit=len(names) - 1)
        return {name: _number(word) for name, word in zip(names, words, strict=True)}

    return value


def _number(word: str) -> str | int:
    if word.startswith('"'):
        return word[1:-1]
    return int(word) if word.isdigit() and len(word) < 10 else word.replace(" ", "")


def _strings(_rrset: RRset, rdata: bytes) -> Value:
    """Return a TXT record's strings as one: octoDNS cuts it anew, and wants semicolons escaped."""
    found, at = bytearray(), 0
    while at < len(rdata):
        end = at + 1 + rdata[at]
        found += rdata[at + 1 : end]
        at = end
    return "".join(_escaped(octet) for octet in found)


def _escaped(octet: int) -> str:
    char = chr(octet)
    if char == ";":
        return f"\\{char}"
    return char if 32 <= octet < 127 else f"\\{octet:03d}"


_VALUES: Final[Mapping[str, Callable[[RRset, bytes], Value]]] = {
    **dict.fromkeys(("A", "AAAA", "CNAME", "NS", "PTR"), _whole),
    **dict.fromkeys(("TXT", "SPF"), _strings),
    "CAA": _fields("flags", "tag", "value"),
    "DS": _fields("key_tag", "algorithm", "digest_type", "digest"),
    "MX": _fields("preference", "exchange"),
    "SRV": _fields("priority", "weight", "port", "target"),
    "SSHFP": _fields("algorithm", "fingerprint_type", "fingerprint"),
    "TLSA": _fields("certificate_usage", "selector", "matching_type", "certificate_association_data"),
    "NAPTR": _fields("order", "preference", "flags", "service", "regexp", "replacement"),
}
