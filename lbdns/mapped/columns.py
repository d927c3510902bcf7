"""The columns that processes map in common, a snapshot's, a health table's, a signature table's: names and types, once.

Compilers, the monitor worker and the signer fill them, files map them, the kernels read them as attributes of
TypedColumns, whose C declaration setup.py writes from the classes here: a column is added by one line. A row's index is
its identity within one snapshot; `*_slot` leads to the health table, `*_text` and `*_name` to the blob.
"""

from __future__ import annotations

from array import array
from typing import Any, Final, NamedTuple, TypeAlias

U8: TypeAlias = "memoryview[int]"
U16: TypeAlias = "memoryview[int]"
U32: TypeAlias = "memoryview[int]"
U64: TypeAlias = "memoryview[int]"
I32: TypeAlias = "memoryview[int]"
I64: TypeAlias = "memoryview[int]"
F32: TypeAlias = "memoryview[float]"
F64: TypeAlias = "memoryview[float]"
# As `array` and `memoryview.cast` call them.
TYPE_CODES: Final = {"U8": "B", "U16": "H", "U32": "I", "U64": "Q", "I32": "i", "I64": "q", "F32": "f", "F64": "d"}

NONE_32: Final = 0xFFFFFFFF

REGION_COUNT: Final = 13  # regions of a geo policy, in sorted order of their codes
NETWORK_ROWS: Final = 1024  # virtual networks whose health the table has room for
ADDRESS_BYTES: Final = 16  # room for one address, of either family: IPv4 uses the first 4
RESOLVED_MAX: Final = 8  # addresses kept per hostname endpoint and family
RESOLVED_BYTES: Final = 2 * RESOLVED_MAX * ADDRESS_BYTES  # IPv4 addresses, then IPv6
READ_ATTEMPTS: Final = 64  # a writer killed while it wrote addresses must not hang a reader


class SnapshotColumns:
    """The columns of a snapshot (snapshot_file.py), as attributes."""

    # Load balancers: a row each, and behind those the variants that rules and pool sets make of them (equal ones once).
    lb_select: U8
    lb_flags: U8
    lb_ttl: U32
    lb_fallback: U32
    lb_ecs_trie: U32
    lb_resolver_trie: U32
    lb_pop_class: U32
    lb_lists: U32
    lb_ecs_lists: U32
    lb_slot: U32
    lb_text: U32
    lb_policy: U8
    # Rules: a load balancer's row of rules_* (NO_RULES: none; a variant has none), and where the counters' slots
    # of its rules begin, then those of its pool sets, each in the order of the configuration.
    lb_rules: U32
    lb_hit_start: U32
    hit_slot: U32
    # A decision table; equal ones are one. Class of ip.src (NO_TRIE: 0) and bits of the tests lead to a verdict:
    # cell = cells + class * width + bits * RULE_KINDS + kind, with cells and trie for a query with ECS or without.
    rules_ecs_trie: U32
    rules_resolver_trie: U32
    rules_ecs_cells: U32
    rules_resolver_cells: U32
    rules_width: U32
    rules_scope: U8
    rules_test_start: U32
    rules_test_count: U32
    rules_reads_name: U8
    rules_asks_python: U8
    rules_cell: U32
    # Verdicts: the row that decides (OWN_ROW: the load balancer's own), and the positions of the rules that matched,
    # from lb_hit_start on. To a SELECT_SET row, class_list has verdicts instead of lists.
    verdict_lb: U32
    verdict_hit_start: U32
    verdict_hit_count: U32
    verdict_hit: U32
    # Tests of a message's texts (TEST_*): bytes `from` to `to` of the subject, as a slice has them, against the operand
    # in the blob or a number.
    test_subject: U8
    test_op: U8
    test_flags: U8
    test_from: I32
    test_to: I32
    test_operand: U32
    test_operand_length: U32
    test_number: I64
    # Place class -> list (from lb_lists), and the lists' members.
    class_list: U32
    list_start: U32
    list_count: U32
    list_flags: U8
    member_pool: U32
    member_weight: U32
    # Pools; shape has three entries a pool (A, AAAA, named), shedding two (per query, per session).
    pool_slot: U32
    pool_flags: U8
    pool_endpoint_start: U32
    pool_endpoint_count: U32
    pool_shape: U8
    pool_max_answers: U8
    pool_hash: U64
    pool_shed_threshold: U64
    pool_shed_policy: U8
    pool_text: U32
    # Endpoints; address has 16 bytes each, target is a wire name in the blob.
    endpoint_slot: U32
    endpoint_weight: U8
    endpoint_families: U8
    endpoint_flags: U8
    endpoint_hash: U64
    endpoint_address: U8
    endpoint_target: U32
    endpoint_port: U16
    endpoint_priority: U16
    endpoint_enabled: U8
    endpoint_text: U32
    # Unit vectors (x, y, z) of coordinate units, and of pools (0, 0, 0 without coordinates), for SELECT_NEAREST.
    unit_vector: F64
    pool_vector: F64
    # Tries: two roots each (IPv4, IPv6), 16 records a node.
    trie_root: U32
    trie_nodes: U32
    # Views: the trie of their networks (one value, NO_TRIE where none has any), whose classes are rows of view_*: the
    # view, how many bits of an address tell so much, and the class of the networks around those. And the trie of
    # trusted resolvers (class 1).
    view_trie: U32
    view_number: U8
    view_bits: U8
    view_around: U32
    trust_trie: U32
    # Names of all zones in one hash table, and the directories of zones in the same table (lookup/name_rows.py).
    # A slot of the table is a name's number + 1 (0: free) and the high half of its hash; a name is a row of
    # NAME_ROW (lookup/name_rows.py): one cache line, or half of one, tells what stands at it.
    table: U32
    name_row: U32
    rrset_type: U16
    rrset_ttl: U32
    rrset_rdata_start: U32
    rrset_rdata_count: U32
    rdata_offset: U32
    rdata_length: U16
    # Zones: index of the apex name; how many there are before those that only views see (one value).
    zone_apex: U32
    public_zones: U32
    # What is signed; all of it is empty where no zone is. Of an RRset's row, the first of its rows of signature_*
    # (NONE_32: none) and how many; a row of these is the whole rdata of an RRSIG, in the blob.
    rrset_signature: U32
    rrset_signature_count: U8
    signature_offset: U32
    signature_length: U16
    # Of a zone: how it denies (DENIAL_* of lookup/name_rows.py), and the ids of the keys that sign what is steered.
    zone_signed: U8
    zone_key_start: U32
    zone_key_count: U8
    signing_key_id: U64
    # Its names that own an NSEC record (the last RRset of their row), in canonical order, each with the name as
    # memcmp orders it (dns/canonical.py), in the blob: a length of two bytes, then so many.
    zone_nsec_start: U32
    zone_nsec_count: U32
    nsec_name: U32
    nsec_order: U32
    # Its NSEC3 records by hash, 20 bytes each, sorted: their RRsets' rows, which are no name's, and owners in the blob.
    zone_nsec3_start: U32
    zone_nsec3_count: U32
    nsec3_hash: U8
    nsec3_rrset: U32
    nsec3_owner: U32
    # What is transferred. Of a zone: whether what load balancers answer in it is there as records (TRANSFER_* of
    # lookup/name_rows.py), and its rows of flat_*: RRsets that are no name's (rows of rrset_*), each with its owner, in
    # the blob, and the RRset whose place it takes in a transfer (NONE_32: none), sorted by that.
    zone_transfer: U8
    zone_flat_start: U32
    zone_flat_count: U32
    flat_rrset: U32
    flat_owner: U32
    flat_hides: U32
    # Of a name: every type that it may have, as a bitmap of NSEC or NSEC3 (RFC 4034 section 4.1.2) in the blob behind
    # a length of two bytes; NONE_32 where its zone is not signed, or does not speak for it.
    name_types: U32
    # Templates: replies rendered beforehand for the fast path (fastpath/layout.py), and which one answers an RRset, a
    # referral at a name, a negative reply of a zone, as offsets.
    rrset_template: U32
    name_template: U32
    zone_template: U32
    # Of endpoints that are hostnames: the zone here that the hostname stands in (NONE_32: none), whether others here
    # stand above that, and what follows the endpoint's records in that zone (A, AAAA, named: three entries each). Where
    # views see other zones there, each has a row behind those of all endpoints; which one comes next (NONE_32: none).
    endpoint_zone: U32
    endpoint_other: U32
    endpoint_is_nested: U8
    endpoint_template: U32
    template_blob: U8
    # What a query that asks for NSID gets (RFC 5001).
    nsid: U8
    # The secrets of server cookies, two words each (dns/server_cookie.py); without any, no reply has a cookie.
    cookie_secret: U64
    # How replies are limited (LIMIT_* of rate_words.py); empty where they are not.
    rate_limit: U64
    # Of a zone, the trie of the networks that may ask (class 1), NO_TRIE where all may; empty where that is so of all.
    # And the trie of proxies that say by a header whom they ask for (class 1).
    zone_query_trie: U32
    proxy_trie: U32
    blob: U8


class PerOwner(NamedTuple):
    """Whose rows a column of the health table has, and how many items each of them."""

    owner: str
    items: int


def once(items: int = 1) -> Any:
    """Declare a column that the table has once."""
    return PerOwner("once", items)


def per_endpoint(items: int = 1) -> Any:
    """Declare a column with `items` for each endpoint slot."""
    return PerOwner("endpoint", items)


def per_pool(items: int = 1) -> Any:
    """Declare a column with `items` for each pool slot."""
    return PerOwner("pool", items)


class HealthColumns:
    """The columns of a health table (health_table.py), as attributes. The order is the file's."""

    heartbeat_ns: U64 = once()  # CLOCK_MONOTONIC of the writer's last beat
    adopted_generation: U64 = once()  # of the targets document that the writer works from
    probes_started: U64 = once()
    probes_late: U64 = once()  # begun more than 250 ms after their time
    probes_in_flight: U64 = once()
    frozen_since: F64 = once()  # unix s since when this machine believes itself cut off; 0 = it does not
    network_identity: U64 = once(NETWORK_ROWS)  # hash of the network whose slot it is; 0 = nobody's
    network_state: U8 = once(NETWORK_ROWS)  # of the way into it: WAY_ of health/way_faults.py
    network_fault: U8 = once(NETWORK_ROWS)  # what is wrong with the way: a WayFault
    network_since: F64 = once(NETWORK_ROWS)  # unix s of the last change of network_state
    endpoint_state: U8 = per_endpoint()  # effective: measured, or what an operator forced
    endpoint_measured: U8 = per_endpoint()
    pool_state: U8 = per_pool()  # effective
    pool_measured: U8 = per_pool()
    pool_rtt: F32 = per_pool(REGION_COUNT)  # ms, EWMA per region; 0 = no figure
    pool_rtt_at: F64 = per_pool(REGION_COUNT)  # elapsed s (base/clocks.py) of the figure's last sample
    pool_since: F64 = per_pool()  # unix s of the last change of pool_state
    pool_identity: U64 = per_pool()  # hash of whom the slot belongs to; 0 = nobody
    endpoint_identity: U64 = per_endpoint()
    endpoint_since: F64 = per_endpoint()  # unix s of the last change of endpoint_state
    endpoint_checked_at: F64 = per_endpoint()  # unix s of the last result
    endpoint_checks: U64 = per_endpoint()
    endpoint_passed: U64 = per_endpoint()
    endpoint_rtt_us: U32 = per_endpoint()  # of the last passed check
    endpoint_streak: I32 = per_endpoint()  # +n passes in a row, -n failures in a row
    endpoint_code: U16 = per_endpoint()  # of the answer with that reason (HTTP, SMTP, LDAP); 0 = none
    endpoint_reason: U8 = per_endpoint()  # of the measured state: index into reasons.REASONS
    endpoint_version: U32 = per_endpoint()  # odd while the endpoint's columns above are being written
    resolved_count: U8 = per_endpoint(2)  # IPv4 addresses, IPv6 addresses
    resolved_expiry: U32 = per_endpoint()  # s of CLOCK_MONOTONIC; 0 = never resolved
    resolved_version: U32 = per_endpoint()  # odd while the addresses are being written
    resolved_address: U8 = per_endpoint(RESOLVED_BYTES)


SIGNATURE_WINDOW: Final = 8  # slots of a signature table among which a key has its place
SIGNATURE_HEAD_BYTES: Final = 18  # of an RRSIG's data before the signer's name (RFC 4034 section 3.1)


class PerSlot(NamedTuple):
    """How many items of a column of a signature table each slot has (`is_once`: the table). `is_wide`: as many as its
    row takes; `is_same`: the memory of the column before it; `is_marked`: who reads the table writes to it."""

    items: int
    is_once: bool = False
    is_wide: bool = False
    is_same: bool = False
    is_marked: bool = False


def per_slot(
    items: int = 1, is_once: bool = False, is_wide: bool = False, is_same: bool = False, is_marked: bool = False
) -> Any:
    """Declare a column of a signature table, as PerSlot says."""
    return PerSlot(items, is_once, is_wide, is_same, is_marked)


class SignatureColumns:
    """The columns of a signature table (signature_table.py), as attributes. The order is the file's."""

    signed_secret: U64 = per_slot(2, is_once=True)  # the key of the hash, drawn when the table is made
    signed_row: U64 = per_slot(is_once=True)  # how many words a slot's row has
    # A slot's row, so that who looks it up touches one page: two words are the hash of what is signed
    # (signature_lookup.py), the third its version, odd while it is being written, and above that the length of what
    # follows, 0 where nothing is there: an RRSIG's data without the signer's name, that is its head and the signature.
    signed_word: U64 = per_slot(is_wide=True)
    signed_octet: U8 = per_slot(is_wide=True, is_same=True)  # the same rows
    signed_expiry: U32 = per_slot()  # unix s, as the signature has it
    signed_passing: U8 = per_slot()  # 1: of a name that a client chose, below a wildcard
    signed_used: U32 = per_slot(is_marked=True)  # when it was sent last: s of CLOCK_MONOTONIC >> USED_SHIFT


class SignatureColumn(NamedTuple):
    """A column of a signature table: its name, type code and shape."""

    name: str
    code: str
    shape: PerSlot


class HealthColumn(NamedTuple):
    """A column of the health table: its name and type code, whose rows it has ("endpoint", "pool" or "once")."""

    name: str
    code: str
    owner: str
    items: int


COLUMNS: Final[dict[str, str]] = {name: TYPE_CODES[kind] for name, kind in SnapshotColumns.__annotations__.items()}
"""Name -> type code of a snapshot's columns."""
HEALTH_COLUMNS: Final = tuple(
    HealthColumn(name, TYPE_CODES[kind], *getattr(HealthColumns, name))
    for name, kind in HealthColumns.__annotations__.items()
)
SIGNATURE_COLUMNS: Final = tuple(
    SignatureColumn(name, TYPE_CODES[kind], getattr(SignatureColumns, name))
    for name, kind in SignatureColumns.__annotations__.items()
)
NO_SIGNATURES: Final = {one.name: memoryview(array(one.code)) for one in SIGNATURE_COLUMNS}
"""The columns of a table without slots: where no zone is signed."""


def empty_columns() -> dict[str, array[int]]:
    """Return every column of a snapshot, with no rows."""
    return {name: array(code) for name, code in COLUMNS.items()}
