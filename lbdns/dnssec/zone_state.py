"""What the signer knows of a zone's keys, as it stands on disk: `<state directory>/dnssec/<zone>.json`.

A file has a checksum: one that is not whole, or was changed by hand, is not believed. Times are unix seconds.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dnssec.held import Held, Ids, Version
from lbdns.dnssec.zone_keys import SigningKey, signing_key
from lbdns.dnssec.zone_status import KeyRole

_FORMAT: Final = 1


class KeyPhase(StrEnum):
    """The states of a key (RFC 7583 section 3.1), as lbdns.dnssec.key_states draws them."""

    GENERATED = "generated"
    PUBLISHED = "published"
    READY = "ready"
    ACTIVE = "active"
    RETIRED = "retired"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class ZoneKey:
    """A key of a zone. `is_wanted` is False for one that is on its way out; `is_passive` is True where its private half
    is elsewhere: it is published, and signs nothing. `active_s`: since when it signs what it is for; 0: not yet.
    `phase`: its state, since `since_s`."""

    public: SigningKey
    role: KeyRole
    created_s: float
    is_wanted: bool = True
    is_passive: bool = False
    active_s: float = 0.0
    phase: KeyPhase = KeyPhase.GENERATED
    since_s: float = 0.0

    @property
    def signs_zone(self) -> bool:
        """Whether it is one that signs the zone."""
        return self.role is not KeyRole.KSK and not self.is_passive

    @property
    def is_entry(self) -> bool:
        """Whether it is one that signs the DNSKEY RRset, and that the parent's DS names."""
        return self.role is not KeyRole.ZSK and not self.is_passive

    def __str__(self) -> str:
        """Return what people call it: `CSK 13/12345`."""
        return f"{self.role.upper()} {self.public.algorithm}/{self.public.tag:05}"


@dataclass(frozen=True, slots=True)
class ParentSeen:
    """What the parent said of the zone's DS when it was asked last. `ds`: what each of its servers that answered has,
    where they agree; None where they do not, or none answered. `problem`: why it is not believed. `known_s`: when it
    was believed last."""

    checked_s: float = 0.0
    ds: tuple[str, ...] | None = None
    problem: str = ""
    known_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ZoneState:
    """A zone's keys, what is served of them, and what is wanted.

    The last of `keysets`, `signings` and `delegations` is what there is now, those before may still be cached. `asked`:
    the DS that the parent was asked for, the last one last, as far as it may still act on them; `is_asked`: the last
    one stands in what is in force; `is_heard`: the parent has it. `published_s`: since when what there is now is in
    force; None: not yet. `algorithm` and `is_split`: what the zone has, or rolls to; `policy`: the settings that were
    last taken over. `is_urgent`: a key is to be got rid of as soon as that is safe.
    """

    apex: bytes
    is_wanted: bool
    algorithm: int
    is_split: bool
    policy: tuple[int, bool]
    since_s: float
    keys: tuple[ZoneKey, ...] = ()
    keysets: tuple[Version, ...] = (Version(frozenset()),)
    signings: tuple[Version, ...] = (Version(frozenset()),)
    delegations: tuple[Version, ...] = (Version(frozenset()),)
    asked: tuple[Ids, ...] = ()
    asked_s: float = 0.0
    is_asked: bool = False
    is_heard: bool = False
    published_s: float | None = 0.0
    is_urgent: bool = False
    parent: ParentSeen = ParentSeen()

    @property
    def zone(self) -> str:
        """The zone's name as text, without the last dot."""
        return show_name(self.apex)

    @property
    def keyset(self) -> Version:
        """The DNSKEY RRset that there is now."""
        return self.keysets[-1]

    @property
    def signing(self) -> Version:
        """Who signs the zone now."""
        return self.signings[-1]

    @property
    def delegation(self) -> Version:
        """The DS that the parent has, as far as is known."""
        return self.delegations[-1]

    @property
    def is_over(self) -> bool:
        """Whether the zone is unsigned again, and that is in force."""
        return not self.is_wanted and not self.keys and self.published_s is not None

    def known(self, ids: Iterable[int]) -> tuple[ZoneKey, ...]:
        """Return the keys of some ids, in the order in which they came."""
        wanted = frozenset(ids)
        return tuple(key for key in self.keys if key.public.id in wanted)

    def wanted(self, is_entry: bool) -> tuple[ZoneKey, ...]:
        """Return the keys that are to be those that the parent names, or those that sign the zone."""
        return tuple(key for key in self.keys if key.is_wanted and (key.is_entry if is_entry else key.signs_zone))

    def held(self) -> Held:
        """Return what caches may hold. The DS that the parent was asked for counts as if it had it.

        A DS that the zone as it is now does not satisfy, as one of another server's keys, counts for nothing: what
        names it is bogus whatever is done here.
        """
        algorithms = {key.public.id: key.public.algorithm for key in self.keys}
        known = frozenset(algorithms)
        every = (*self.delegations, *map(Version, self.asked))
        held = Held((), self.keysets, self.signings, algorithms)
        sound = [
            one for one in every if one.keys <= known and held.is_valid(one, self.keyset, self.signing) and one.keys
        ]
        return replace(held, delegations=tuple(sound))


def as_text(state: ZoneState) -> str:
    """Return what a zone's file holds."""
    body = json.dumps(_as_json(state), indent=1)
    return json.dumps({"format": _FORMAT, "sha256": _checksum(body), "state": json.loads(body)}, indent=1) + "\n"


def read_state(text: str) -> ZoneState:
    """Return what a zone's file says; raises LbdnsError where it is not whole, or of another format."""
    try:
        said = json.loads(text)
        number, checksum, state = said["format"], said["sha256"], said["state"]
    except (ValueError, TypeError, KeyError) as error:
        raise LbdnsError("it is not whole: it is no JSON object with format, sha256 and state") from error
    if number != _FORMAT:
        raise LbdnsError(f"it has format {number}; this release reads {_FORMAT}")
    if checksum != _checksum(json.dumps(state, indent=1)):
        raise LbdnsError("it is not as it was written: its checksum differs")
    return _from_json(state)


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _as_json(state: ZoneState) -> dict[str, Any]:
    fields = {name: getattr(state, name) for name in ZoneState.__dataclass_fields__}
    return {
        **fields,
        "apex": show_name(state.apex),
        "keys": [_key_json(key) for key in state.keys],
        **{name: [_version_json(one) for one in fields[name]] for name in ("keysets", "signings", "delegations")},
        "asked": [_ids_json(ids) for ids in state.asked],
        "parent": asdict(state.parent),
    }


def _from_json(said: Mapping[str, Any]) -> ZoneState:
    apex = encode_canonical(said["apex"])
    seen = said["parent"]
    ds = None if seen["ds"] is None else tuple(seen["ds"])
    fields: dict[str, Any] = {
        **said,
        "apex": apex,
        "policy": tuple(said["policy"]),
        "keys": tuple(_read_key(apex, one) for one in said["keys"]),
        **{name: tuple(map(_read_version, said[name])) for name in ("keysets", "signings", "delegations")},
        "asked": tuple(map(_read_ids, said["asked"])),
        "parent": ParentSeen(**{**seen, "ds": ds}),
    }
    return ZoneState(**fields)


def _key_json(key: ZoneKey) -> dict[str, Any]:
    fields = {name: getattr(key, name) for name in ZoneKey.__dataclass_fields__}
    return {**fields, "public": b64encode(key.public.dnskey).decode()}


def _read_key(apex: bytes, said: Mapping[str, Any]) -> ZoneKey:
    public = signing_key(apex, b64decode(said["public"]))
    return ZoneKey(**{**said, "public": public, "role": KeyRole(said["role"]), "phase": KeyPhase(said["phase"])})


def _version_json(version: Version) -> dict[str, Any]:
    return {**asdict(version), "keys": _ids_json(version.keys), "signers": _ids_json(version.signers)}


def _read_version(said: Mapping[str, Any]) -> Version:
    return Version(**{**said, "keys": _read_ids(said["keys"]), "signers": _read_ids(said["signers"])})


def _ids_json(ids: Ids) -> list[str]:
    return sorted(f"{number:016x}" for number in ids)


def _read_ids(said: Iterable[str]) -> Ids:
    return frozenset(int(one, 16) for one in said)
