"""A view: one snapshot and one health table, paired, with the look-ups that the responder makes in them."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Final

from lbdns.answer.access_table import AccessTable
from lbdns.answer.asked_trees import AskedTrees
from lbdns.base.errors import LbdnsError
from lbdns.dns.canonical import nsec3_hash
from lbdns.dns.codes import OPCODE_NOTIFY, OPCODE_QUERY, OPCODE_UPDATE, TYPE_NSEC, TYPE_SOA
from lbdns.dns.message import Signature
from lbdns.dns.name import read_name
from lbdns.dns.tsig import UNSIGNED, Judgement, Keyring
from lbdns.dns.zone import RRset
from lbdns.dnssec.compact_denial import denial_of
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.blob import read_text
from lbdns.mapped.columns import NO_SIGNATURES, NONE_32
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.signature_lookup import read_signature, rrset_key
from lbdns.mapped.signature_table import SignatureTable
from lbdns.mapped.snapshot_file import ACCESS, KEYS, LISTENERS, SAMPLES, TAPPED, TLS, VIEWS, Snapshot
from lbdns.places import regions
from lbdns.snapshot.lookup.denial import find_nsec, find_nsec3
from lbdns.snapshot.lookup.look_up import Found, find_zone
from lbdns.snapshot.lookup.name_rows import (
    DENIAL_UNSIGNED,
    FLAGS_SHIFT,
    HEARS_NOTIFY,
    HEARS_TRANSFER,
    HEARS_UPDATE,
    NAME_ROW,
    NAME_UNREADY,
    NO_NAME,
    ROW_FIRST_RRSET,
    ROW_OFFSET,
    ROW_RRSETS,
    RRSETS_MASK,
)
from lbdns.snapshot.lookup.name_table import Suffixes, find, set_name
from lbdns.snapshot.lookup.steered_data import endpoint_target
from lbdns.steering.kernel import view as steering
from lbdns.steering.kernel.numbers import NO_TRIE

_DATA_COLUMNS: Final = ("rrset_rdata_start", "rrset_rdata_count", "rdata_offset", "rdata_length", "blob")
_HEARS: Final = {"transfer": HEARS_TRANSFER, "notify": HEARS_NOTIFY, "update": HEARS_UPDATE}
_HEARD_OPCODES: Final = {HEARS_NOTIFY: OPCODE_NOTIFY, HEARS_UPDATE: OPCODE_UPDATE}


class ServingView:
    """One configuration and its health for a batch of queries; raises LbdnsError where the two do not belong
    together."""

    def __init__(
        self,
        snapshot: Snapshot,
        table: HealthTable,
        signatures: SignatureTable | None = None,
        state_dir: Path | None = None,
    ) -> None:
        """`signatures`: the table of signatures for what is steered, where a zone is signed; `state_dir`: where the
        journals of zones are, where they are to be looked at."""
        if snapshot.layout_id != table.layout_id:
            raise LbdnsError(
                f"snapshot {snapshot.generation} belongs to health table layout {snapshot.layout_id}, "
                f"not {table.layout_id}"
            )
        self.snapshot = snapshot
        self.table = table
        self.signatures = signatures
        self.state_dir = state_dir
        self.signature_columns = NO_SIGNATURES if signatures is None else signatures.columns
        self.columns = snapshot.columns
        self._data = [snapshot.columns[name] for name in _DATA_COLUMNS]
        # What a query that asks for NSID gets (RFC 5001): the PoP's code, where there is one.
        self.nsid = bytes(snapshot.columns["nsid"])
        self.region = str(snapshot.meta["region"])
        self.region_index = regions.REGION_CODES.index(self.region) if self.region else -1
        self.steering = steering.View(snapshot.columns, table.columns, self.region_index, self.signature_columns)
        self._keyring = Keyring(
            (name, algorithm, b64decode(secret), number) for name, algorithm, secret, number in snapshot.meta[KEYS]
        )
        self.access = AccessTable(snapshot.meta.get(ACCESS, {}))
        # What is taken beside queries that anybody may send: HEARS_*, and the same as opcodes.
        self.heard = sum(bit for right, bit in _HEARS.items() if self.access.anybody(right))
        self.opcodes = frozenset(
            {OPCODE_QUERY, *(opcode for bit, opcode in _HEARD_OPCODES.items() if self.heard & bit)}
        )
        self.limits_queries = self.access.is_limited("query")
        # Samples a second of all processes, and the bits of IPv4 and IPv6 networks that are kept.
        self.samples_per_second, *self.sampled_bits = snapshot.meta.get(SAMPLES, (0, 0, 0))
        self.tapped_share = int(snapshot.meta.get(TAPPED, 0))
        self.tls_files = tuple(map(Path, snapshot.meta.get(TLS, ())))
        self._listeners: dict[str, int] = snapshot.meta[LISTENERS]
        self.suffixes = Suffixes()
        self._denied = Suffixes()
        self.found = Found()
        self.decision = steering.Decision()
        self.asked_trees = AskedTrees(snapshot.columns)
        # Values made once and asked for often: rows of an immutable snapshot, so they never age.
        self._rrsets: dict[int, tuple[RRset, ...]] = {}
        self._negatives: dict[int, RRset] = {}

    @property
    def has_networks(self) -> bool:
        """Whether a network of clients is in a view of its own."""
        trie = self.columns["view_trie"]
        return len(trie) != 0 and trie[0] != NO_TRIE

    @property
    def pop(self) -> str:
        """The code of this server's PoP, "" where none is configured."""
        return str(self.snapshot.meta["pop"])

    def view_name(self, number: int) -> str:
        """Return the name of a view by its number; 0 is the public one's."""
        names: list[str] = self.snapshot.meta.get(VIEWS, [""])
        return names[number]

    def find_signatures(self, zone: int, wanted: Unsigned, now_s: int) -> tuple[bytes, ...] | None:
        """Return the data of the RRSIG records over an RRset by each key of its zone, None where the table lacks one;
        `now_s`: of CLOCK_MONOTONIC."""
        if self.signatures is None:
            return None
        start, count = self.columns["zone_key_start"][zone], self.columns["zone_key_count"][zone]
        found = []
        for key_id in self.columns["signing_key_id"][start : start + count]:
            key = rrset_key(self.signatures.secret, key_id, wanted.owner, wanted.rtype, wanted.ttl, wanted.rdatas)
            rdata = read_signature(self.steering, *key, wanted.apex, now_s)
            if rdata is None:
                return None
            found.append(rdata)
        return tuple(found)

    def listener_view(self, address: str) -> int:
        """Return the number of the view that who asks at a listener is in, 0 for none: of `IP:PORT`, or of port 0 where
        the port was chosen for it."""
        if not self._listeners:
            return 0
        number = self._listeners.get(address)
        return self._listeners.get(f"{address.rpartition(':')[0]}:0", 0) if number is None else number

    def judge(self, datagram: bytes, signature: Signature | None, unix_s: int) -> Judgement:
        """Return what is to be said of a datagram's signature at a time of day."""
        return UNSIGNED if signature is None else self._keyring.judge(datagram, signature, unix_s)

    def find_name(self, zone: int, name: bytes) -> int | None:
        """Return the index of a name that exists in a zone, None where it does not."""
        set_name(self.suffixes, name)
        entry = find(self.steering, zone + 1, self.suffixes, 0)
        return None if entry == NO_NAME else entry

    def zones_above(self, directory: int, name: bytes) -> list[int]:
        """Return the zones of a directory that a name stands in or below, the longest apex first."""
        set_name(self.suffixes, name)
        zones = []
        label = find_zone(self.steering, self.suffixes, 0, directory, self.found)
        while label >= 0:
            zones.append(self.found.zone)
            label = find_zone(self.steering, self.suffixes, label + 1, directory, self.found)
        return zones

    def apex(self, zone: int) -> bytes:
        """Return the wire form of a zone's apex."""
        return self.name(self.columns["zone_apex"][zone])

    def denial(self, zone: int) -> int:
        """Return how a zone says that something is not there (DENIAL_*)."""
        return denial_of(self.columns, zone)

    def is_signed(self, zone: int) -> bool:
        """Return whether a zone is signed."""
        return denial_of(self.columns, zone) != DENIAL_UNSIGNED

    def is_unready(self, zone: int) -> bool:
        """Whether a zone is not ready to be served."""
        return bool(self.name_flags(self.columns["zone_apex"][zone]) & NAME_UNREADY)

    def name(self, entry: int) -> bytes:
        """Return the wire form of a name."""
        return read_name(self.columns["blob"], self.columns["name_row"][entry * NAME_ROW + ROW_OFFSET])

    def name_flags(self, entry: int) -> int:
        """Return what a look-up has to know of a name (NAME_*)."""
        return int(self.columns["name_row"][entry * NAME_ROW + ROW_RRSETS]) >> FLAGS_SHIFT

    def rrset_rows(self, entry: int) -> tuple[int, int]:
        """Return the first row and the number of a name's RRsets."""
        row = entry * NAME_ROW
        return self.columns["name_row"][row + ROW_FIRST_RRSET], self.columns["name_row"][row + ROW_RRSETS] & RRSETS_MASK

    def rrsets(self, entry: int) -> tuple[RRset, ...]:
        """Return the RRsets at a name, without those that a load balancer there hides."""
        found = self._rrsets.get(entry)
        if found is None:
            found = self._read_rrsets(entry)
            if len(self._rrsets) >= CACHED_NAMES_MAX:
                self._rrsets.clear()
            self._rrsets[entry] = found
        return found

    def _read_rrsets(self, entry: int) -> tuple[RRset, ...]:
        owner = self.name(entry)
        start, count = self.rrset_rows(entry)
        return tuple(self._read_rrset(owner, row) for row in range(start, start + count))

    def _read_rrset(self, owner: bytes, row: int) -> RRset:
        rtype, ttl = self.columns["rrset_type"][row], self.columns["rrset_ttl"][row]
        return RRset(owner, rtype, ttl, self.rdatas(row), signatures=self._signatures(row))

    def rdatas(self, row: int) -> tuple[bytes, ...]:
        """Return the data of the records of an RRset, by its row."""
        starts, counts, offsets, lengths, blob = self._data
        first, count = starts[row], counts[row]
        if count == 1:  # most have one
            offset = offsets[first]
            return (bytes(blob[offset : offset + lengths[first]]),)
        places = range(first, first + count)
        return tuple([bytes(blob[offsets[at] : offsets[at] + lengths[at]]) for at in places])

    def _signatures(self, row: int) -> tuple[bytes, ...]:
        """Return the rdata of the RRSIG records over an RRset."""
        columns = self.columns
        if not len(columns["rrset_signature"]) or columns["rrset_signature"][row] == NONE_32:
            return ()
        first = columns["rrset_signature"][row]
        return tuple(
            bytes(
                columns["blob"][
                    columns["signature_offset"][at] : columns["signature_offset"][at] + columns["signature_length"][at]
                ]
            )
            for at in range(first, first + columns["rrset_signature_count"][row])
        )

    def rrset(self, entry: int, rtype: int) -> RRset | None:
        """Return the RRset of one type at a name."""
        for rrset in self.rrsets(entry):
            if rrset.type == rtype:
                return rrset
        return None

    def negative(self, zone: int) -> RRset:
        """Return the SOA for negative answers: TTL min(SOA's own, MINIMUM)."""
        found = self._negatives.get(zone)
        if found is None:
            soa = self.rrset(self.columns["zone_apex"][zone], TYPE_SOA)
            if soa is None:
                raise LbdnsError(f"zone {zone} has no SOA; the configuration was not checked")
            minimum = int.from_bytes(soa.rdatas[0][-4:], "big")
            found = self._negatives[zone] = replace(soa, ttl=min(soa.ttl, minimum))
        return found

    def nsec(self, zone: int, name: bytes) -> RRset:
        """Return the NSEC record of a zone's chain that matches or covers a name in it (lower case)."""
        set_name(self._denied, name)
        found = self.rrset(find_nsec(self.steering, zone, self._denied, 0, False), TYPE_NSEC)
        if found is None:
            raise LbdnsError(f"zone {zone} has no NSEC records; it was not signed so")
        return found

    def nsec3(self, zone: int, name: bytes) -> RRset:
        """Return the NSEC3 record of a zone's chain that matches or covers a name in it (lower case)."""
        row = find_nsec3(self.steering, zone, nsec3_hash(name))
        owner = read_name(self.columns["blob"], self.columns["nsec3_owner"][row])
        return self._read_rrset(owner, self.columns["nsec3_rrset"][row])

    def endpoint_target(self, endpoint: int) -> bytes:
        """Return the wire name of an endpoint that is a hostname."""
        return endpoint_target(self.columns, endpoint)

    def text(self, column: str, row: int) -> str:
        """Return the name of a load balancer (`lb_text`), pool (`pool_text`) or endpoint (`endpoint_text`)."""
        return read_text(self.columns["blob"], self.columns[column][row])


CACHED_NAMES_MAX = 65_536  # names whose RRsets a view keeps as values
