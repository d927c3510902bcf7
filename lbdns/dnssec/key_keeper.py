"""The keys of all zones: made, kept on disk, rolled, and what operators want of them. The signer has the only one.

    <state directory>/dnssec/
        <zone>.json                       what is known of the zone's keys (lbdns.dnssec.zone_state)
        K<zone>.+<algorithm>+<tag>.*      its keys (lbdns.dnssec.bind_keys)

A key is on disk before a state names it, a state before anybody is told of it, and files of keys go after the state
that named them. So whoever is killed between two of them begins with what is true, and at worst a key's files lie
about. It has no clock: `now_s`, unix seconds, is an argument. What writes raises LbdnsError, with all as it was, where
it cannot.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.dnssec import key_states
from lbdns.dnssec.bind_keys import (
    PRIVATE,
    export_files,
    file_stem,
    make_directory,
    read_key,
    remove_key,
    sync_directory,
    write_key,
    write_secret,
)
from lbdns.dnssec.key import PrivateKey, Signs, generate_key
from lbdns.dnssec.key_events import told
from lbdns.dnssec.key_import import imported_state
from lbdns.dnssec.key_policy import KeyPolicies, KeyPolicy
from lbdns.dnssec.key_report import parent_interval_s, zone_status
from lbdns.dnssec.key_requests import begun, by_hand, rolled, switched_off
from lbdns.dnssec.parent_answer import ParentAnswer
from lbdns.dnssec.token import KeyToken, TokenKey
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_state import KeyPhase, ZoneKey, ZoneState, as_text, read_state
from lbdns.dnssec.zone_status import KeyRole, SigningState, ZoneStatus
from lbdns.dnssec.zone_step import ZoneStep

STATE_ENDING: Final = ".json"
_EXPORT: Final = "export"

log = logging.getLogger("lbdns.dnssec")


class KeyKeeper:
    """The keys of all zones, by the files of one directory."""

    def __init__(self, directory: Path, policies: KeyPolicies, token: KeyToken | None = None) -> None:
        """Keep keys in `directory`, which is made when there is something to keep; `load` reads what is there. Those
        that the policies want in a token are made in `token`."""
        self._policies = policies
        self._token = token
        self._directory = directory
        self._states: dict[bytes, ZoneState] = {}
        self._signers: dict[int, Signs] = {}
        self._unreadable: dict[bytes, str] = {}
        self._unwritten: dict[bytes, str] = {}
        self._followed: dict[bytes, KeyPolicy] = {}

        self._place_token()

    @property
    def policies(self) -> KeyPolicies:
        """How keys live; may be set."""
        return self._policies

    @policies.setter
    def policies(self, policies: KeyPolicies) -> None:
        self._policies = policies
        self._place_token()

    def _place_token(self) -> None:
        if self._token is not None:
            self._token.place = self._policies.token

    # --- what there is ---

    def load(self) -> None:
        """Read every zone's state and keys; writes nothing. What cannot be read is in `problems`; raises LbdnsError
        where it cannot be told which zones there are."""
        self._states, self._signers, self._unreadable = {}, {}, {}
        for path in sorted(self._listed()):
            try:
                apex = encode_canonical(path.name.removesuffix(STATE_ENDING).replace("%2F", "/"))
            except BadName:
                continue  # no file of ours
            try:
                self._load_zone(path, apex)
            except LbdnsError as error:
                self._unreadable[apex] = str(error)

    def _listed(self) -> list[Path]:
        try:
            names = os.listdir(self._directory)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise LbdnsError(f"{self._directory}: cannot be read: {error.strerror}") from error
        return [self._directory / name for name in names if name.endswith(STATE_ENDING)]

    def _load_zone(self, path: Path, apex: bytes) -> None:
        try:
            state = read_state(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, LbdnsError) as error:
            raise LbdnsError(f"{path}: {error}") from error
        if state.apex != apex:
            raise LbdnsError(f"{path}: is of the zone {state.zone}")
        signers: dict[int, Signs] = {}
        for key in state.keys:
            if not key.is_passive:
                stem = file_stem(apex, key.public)
                private = read_key(self._directory / f"{stem}{PRIVATE}", apex)
                signer: Signs | None = private.private
                if private.label is not None and self._token is not None:
                    signer = TokenKey(key.public, private.label, self._token)
                if private.public != key.public or signer is None:
                    raise LbdnsError(f"{path}: {stem}{PRIVATE} is not the key that it was")
                signers[key.public.id] = signer
        self._states[apex] = state
        self._signers.update(signers)

    def problems(self) -> dict[bytes, str]:
        """Return the zones whose keys cannot be read, by apex, and why: they must not be served without signatures."""
        return dict(self._unreadable)

    def zone_keys(self) -> dict[bytes, ZoneKeys]:
        """Return what each signed zone says of its keys, by apex: what is to be published."""
        found = {apex: key_states.zone_keys(state, self._policy(state)) for apex, state in self._states.items()}
        return {apex: keys for apex, keys in found.items() if keys is not None}

    def unsigned(self) -> list[str]:
        """Return the zones that have keys and whose last step is under way: to be published without signatures."""
        zones = self.zone_keys()
        return [state.zone for apex, state in self._states.items() if apex not in zones]

    def signer(self, key_id: int) -> Signs | None:
        """Return what signs as a key, None where there is no such key."""
        return self._signers.get(key_id)

    def status(self, zone: str, now_s: float) -> ZoneStatus:
        """Return how a zone stands; `zone`: its name as text, without the last dot."""
        apex = encode_canonical(zone)
        if apex in self._unreadable:
            return ZoneStatus(zone, SigningState.ERROR, now_s, problem=self._unreadable[apex])
        state = self._states.get(apex)
        if state is None:
            return ZoneStatus(zone, SigningState.DISABLED, 0.0)
        return zone_status(state, self._policy(state), self._unwritten.get(apex, ""), now_s)

    def statuses(self, now_s: float) -> list[ZoneStatus]:
        """Return how each zone that has keys stands, by name."""
        zones = sorted(show_name(apex) for apex in (*self._states, *self._unreadable))
        return [self.status(zone, now_s) for zone in zones]

    # --- what goes on by itself ---

    def step(self, now_s: float) -> tuple[ZoneStep, ...]:
        """Go on with every zone as far as that is safe now. What cannot be written is tried again, and is an event."""
        events: list[ZoneStep] = []
        for apex, state in list(self._states.items()):
            if not self._is_due(state, now_s):
                continue
            try:
                events += self._settle(state, state, now_s)
                self._unwritten.pop(apex, None)
            except LbdnsError as error:
                if self._unwritten.get(apex) != str(error):
                    self._unwritten[apex] = str(error)
                    events.append(ZoneStep(now_s, state.zone, str(error), "error"))
        return tuple(events)

    def _is_due(self, state: ZoneState, now_s: float) -> bool:
        """Tell whether time, or another policy, may change anything; what happens to a zone is taken account of at
        once."""
        policy = self._policy(state)
        if self._followed.get(state.apex) != policy or state.apex in self._unwritten:
            return True
        next_s = key_states.next_s(state, policy)
        return next_s is not None and now_s >= next_s

    def published(self, apex: bytes, digest: int, max_ttl_s: int, now_s: float) -> tuple[ZoneStep, ...]:
        """Take note that a generation is in force in which a zone says what has this digest (`ZoneKeys.digest`; 0: it
        is unsigned), and go on. `max_ttl_s`: the longest TTL that anything in the zone has. Of another digest than the
        present one it is nothing."""
        state = self._states.get(apex)
        if state is None:
            return ()
        keys = key_states.zone_keys(state, self._policy(state))
        if digest != (0 if keys is None else keys.digest):
            return ()
        return self._settle(state, key_states.put_in_force(state, self._policy(state), max_ttl_s, now_s), now_s)

    def withdrawn(self, apex: bytes, now_s: float) -> tuple[ZoneStep, ...]:
        """Take note that a zone is not served here: what it says of its keys waits for nobody to publish it."""
        state = self._states.get(apex)
        if state is None or state.published_s is not None:
            return ()
        return self._settle(state, key_states.put_in_force(state, self._policy(state), 0, now_s), now_s)

    def parent_due(self, now_s: float) -> list[tuple[str, KeyPolicy]]:
        """Return the zones whose parent is to be asked for their DS now, each with its policy. One that was asked at a
        time that is yet to come is: the clock was set back."""
        states = self._states.values()
        due = [one for one in states if self._parent_due_s(one) <= now_s or one.parent.checked_s > now_s]
        return [(state.zone, self._policy(state)) for state in due]

    def _parent_due_s(self, state: ZoneState) -> float:
        return state.parent.checked_s + parent_interval_s(state)

    def parent_answered(self, zone: str, answer: ParentAnswer, now_s: float) -> tuple[ZoneStep, ...]:
        """Take note of what a zone's parent said, and go on."""
        state = self._states.get(encode_canonical(zone))
        if state is None:
            return ()
        said = key_states.parent_said(state, answer, self._policy(state), now_s)
        if said != replace(state, parent=said.parent):
            return self._settle(state, said, now_s)
        self._states[state.apex] = said  # nothing to write: who does not remember when it was asked asks it again
        return tuple(told(state, said, now_s, is_new_keys=False))

    # --- what operators want ---

    def ask(self, verb: str, arguments: Mapping[str, Any], now_s: float) -> tuple[Any, tuple[ZoneStep, ...]]:
        """Do a verb of lbdns.dnssec.signer_verbs, whose arguments were looked at; returns its answer as JSON values,
        and what happened. Raises LbdnsError in an operator's words."""
        if verb == "status":
            zones = arguments.get("zones")
            found = self.statuses(now_s) if zones is None else [self.status(zone, now_s) for zone in zones]
            return [one.as_json() for one in found], ()
        zone = arguments["zone"]
        if verb == "export":
            directory = arguments.get("directory")
            files = self.export_keys(zone, None if directory is None else Path(directory))
            return {"files": [str(path) for path in files]}, ()
        events: tuple[ZoneStep, ...]
        match verb:
            case "enable":
                events = self.enable(zone, arguments.get("algorithm"), arguments.get("keys"), now_s)
            case "disable":
                events = self.disable(zone, now_s)
            case "roll":
                role, is_urgent = KeyRole(arguments["role"]), bool(arguments.get("emergency"))
                events = self.roll(zone, role, arguments.get("algorithm"), is_urgent, now_s)
            case "ds_seen":
                events = self.ds_seen(zone, now_s)
            case "import":
                served = [bytes.fromhex(one) for one in arguments.get("dnskeys") or ()]
                events = self.import_keys(zone, Path(arguments["directory"]), served, now_s)
            case _:
                raise LbdnsError(f'"{verb}" is no verb of the signer')
        return self.status(zone, now_s).as_json(), events

    def enable(self, zone: str, algorithm: int | None, keys: str | None, now_s: float) -> tuple[ZoneStep, ...]:
        """Sign a zone, by new keys; or again, where it is about to be unsigned. None: as its policy says."""
        apex = encode_canonical(zone)
        self._readable(apex)
        state, policy = self._states.get(apex), self.policies.of(zone)
        return self._settle(state, begun(state, apex, policy, algorithm, keys, now_s), now_s)

    def disable(self, zone: str, now_s: float) -> tuple[ZoneStep, ...]:
        """Have a zone unsigned: as soon as neither its parent nor any cache has a DS of it."""
        state = self._known(zone)
        return self._settle(state, switched_off(state, now_s), now_s)

    def roll(
        self, zone: str, role: KeyRole, algorithm: int | None, is_urgent: bool, now_s: float
    ) -> tuple[ZoneStep, ...]:
        """Have another key take the place of that of a role, or keys of another algorithm that of all. `is_urgent`: the
        old ones may be known to others."""
        state = self._known(zone)
        return self._settle(state, rolled(state, role, algorithm, is_urgent), now_s)

    def ds_seen(self, zone: str, now_s: float) -> tuple[ZoneStep, ...]:
        """Take an operator's word that the parent has the DS that it was asked for."""
        state = self._known(zone)
        policy = self._policy(state)
        return self._settle(state, key_states.parent_said(state, by_hand(state, policy), policy, now_s), now_s)

    def import_keys(self, zone: str, directory: Path, dnskeys: Sequence[bytes], now_s: float) -> tuple[ZoneStep, ...]:
        """Sign a zone by keys that signed it elsewhere: BIND's files in a directory, of which copies are kept.

        `dnskeys`: rdata of the DNSKEY RRset that it is served with, none where that is not known.
        """
        apex = encode_canonical(zone)
        self._readable(apex)
        if apex in self._states:
            raise LbdnsError(f"{zone} is signed already, by keys of its own; disable that first, or roll its keys")
        state, privates = imported_state(apex, directory, dnskeys, self.policies.of(zone), now_s)
        make_directory(self._directory)
        for key in privates:
            write_key(self._directory, apex, key, now_s)
        self._signers.update({key.public.id: key for key in privates})
        return self._settle(None, state, now_s)

    def export_keys(self, zone: str, directory: Path | None) -> list[Path]:
        """Copy a zone's keys, as BIND's files, to a directory that its owner alone can read; returns their paths. None:
        to one of its own beside them. One that is out of the zone already, and waits to be deleted, is not among them:
        whoever takes them in elsewhere would publish it again."""
        state = self._known(zone)
        target = directory or self._directory / _EXPORT / zone.replace("/", "%2F")
        own = [key.public for key in state.keys if not key.is_passive and key.phase is not KeyPhase.REMOVED]
        for public in own:
            if isinstance(self._signers.get(public.id), TokenKey):
                raise LbdnsError(
                    f"{file_stem(state.apex, public)} is not exported: its private half is in a token, which it never "
                    "leaves; whoever is to sign by it needs that token (dnssec.pkcs11)"
                )
        stems = [file_stem(state.apex, public) for public in own]
        return export_files(self._directory, stems, target)

    # --- on disk ---

    def _settle(self, before: ZoneState | None, state: ZoneState, now_s: float) -> tuple[ZoneStep, ...]:
        """Go on from a state as far as that is safe, and have it on disk; returns what happened since `before`."""
        policy = self._policy(state)
        state = key_states.prepare(state, policy, now_s)
        made = tuple(self._make(state, role, algorithm, now_s) for role, algorithm in key_states.needed(state))
        state = key_states.with_keys(state, made)
        state = key_states.with_phases(key_states.advance(state, policy, now_s), now_s)
        self._followed[state.apex] = policy
        if before == state:
            return ()
        was = before or key_states.begin(state.apex, policy, state.algorithm, state.is_split, now_s)
        self._keep(state)
        for key in was.keys:
            if key.public.id not in {one.public.id for one in state.keys}:
                _destroy(self._signers.pop(key.public.id, None))
                remove_key(self._directory, state.apex, key.public)
        is_new = key_states.zone_keys(was, policy) != key_states.zone_keys(state, policy)
        return tuple(told(was, state, now_s, is_new))

    def _make(self, state: ZoneState, role: KeyRole, algorithm: int, now_s: float) -> ZoneKey:
        """Make a key, on disk when this returns, whose tag no other of the zone's keys has."""
        make_directory(self._directory)
        taken = frozenset(tag for key in state.keys for tag in key.public.tags)
        while True:
            key = self._generate(state.apex, algorithm, is_entry_point=role is not KeyRole.ZSK)
            is_free = not (self._directory / f"{file_stem(state.apex, key.public)}{PRIVATE}").exists()
            if not key.public.tags & taken and is_free:
                break
            _destroy(key)
        try:
            write_key(self._directory, state.apex, key, now_s)
        except LbdnsError:
            _destroy(key)
            raise
        self._signers[key.public.id] = key
        return ZoneKey(key.public, role, now_s)

    def _generate(self, apex: bytes, algorithm: int, is_entry_point: bool) -> PrivateKey | TokenKey:
        if self._token is not None and self._token.place is not None:
            return self._token.generate(apex, algorithm, is_entry_point)
        return generate_key(apex, algorithm, is_entry_point)

    def _keep(self, state: ZoneState) -> None:
        path = self._directory / f"{state.zone.replace('/', '%2F')}{STATE_ENDING}"
        if not state.is_over:
            make_directory(self._directory)
            write_secret(path, as_text(state))
            self._states[state.apex] = state
            return
        try:
            path.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                sync_directory(self._directory)
        except OSError as error:
            raise LbdnsError(f"{path}: cannot be removed: {error.strerror}") from error
        self._states.pop(state.apex, None)

    def _policy(self, state: ZoneState) -> KeyPolicy:
        return self.policies.of(state.zone)

    def _known(self, zone: str) -> ZoneState:
        apex = encode_canonical(zone)
        self._readable(apex)
        state = self._states.get(apex)
        if state is None:
            raise LbdnsError(f"{zone} is not signed; `lbdns dnssec enable {zone}` has it signed")
        return state

    def _readable(self, apex: bytes) -> None:
        if apex in self._unreadable:
            raise LbdnsError(f"the keys of {show_name(apex)} cannot be read: {self._unreadable[apex]}")


def _destroy(key: Signs | None) -> None:
    """Destroy a key that nothing signs by any more, where it is in a token; one that is away keeps it."""
    if isinstance(key, TokenKey):
        try:
            key.token.destroy(key)
        except LbdnsError as error:
            log.warning("%s", error)
