# cython: language_level=3
"""Memory asked for ahead: what a batch of queries will read of a large snapshot, before the first of them is answered.

    for each datagram: its name's hash -> slot of the name table; the hashes are kept for its road
    for each:          slot -> the name's row
    for each:          row -> the name itself, its RRsets or load balancer
    for each:          first RRset -> its template
    those with ECS:    a node of the trie further, all of them, until none goes on
    for each:          place class -> list of pools -> the first of them -> its endpoints -> their health

One query's look-ups wait for each other; those of a batch need not. Between two passes over the batch the memory of the
earlier one has come. It is a hint and nothing else: what is answered does not depend on what is found here, and a
snapshot that fits the nearest cache is left alone: the kernel's own work takes the rest of it between two batches. Columns
of an octet a row are small, and come by themselves. Cython alone, as the hint has no interpreted form.

Bounds: rows and cells are those that decide.py reads for the same load balancer, in a checked snapshot; a trie is walked
for AHEAD_NODES at most, whatever it holds, and nothing is read where a count says that there is nothing.
"""

from lbdns.dns.codes cimport *
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.read cimport Server
from lbdns.mapped.columns cimport *
from lbdns.mapped.counter_words cimport *
from lbdns.mapped.counters cimport Counters
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.steering.kernel.numbers cimport *

# What reads and hashes names, as one piece of C with this, written from its modules by setup.py.
include "lbdns/fastpath/name_road.pxi"

cdef extern from *:
    """
    #define LBDNS_FETCH(p) __builtin_prefetch((p), 0, 3)
    #define LBDNS_FETCH_TO_WRITE(p) __builtin_prefetch((p), 1, 3)
    """
    void LBDNS_FETCH(const void *) nogil
    void LBDNS_FETCH_TO_WRITE(const void *) nogil

cdef enum:
    PROBES_MAX = 4  # slots looked at for one name; more are rare
    LINE_BYTES = 64
    AHEAD_NODES = 12  # that a trie is walked for, 48 bits of an address
    SUBNET_HEAD_BYTES = 8  # of a Client Subnet option: code, length, family and two prefix lengths
    LARGE_BYTES = 1 << 14  # of table and rows: less stays in the nearest cache by itself


cdef bint is_worth_it(Server server) noexcept nogil:
    """Return whether the snapshot is larger than what stays in the nearest cache."""
    return (server.table.shape[0] + server.name_row.shape[0]) * 4 > LARGE_BYTES


cdef class Ahead:
    """The names of one batch."""

    cdef void add(self, Server server, int got, const int *starts, const int *lengths) noexcept nogil:
        """Ask for the slots of the names of `got` datagrams, BATCH at most, and keep their hashes."""
        cdef int index
        cdef unsigned long long wanted, mask = mask_of(server)
        for index in range(got):
            self.hashed[index].count = 0
            if lengths[index] < HEADER_BYTES or not read_name(server, starts[index], lengths[index]):
                continue
            hash_suffixes(server.suffixes)
            keep(&self.hashed[index], server)
            wanted = spread(server.suffixes.hashes[0])
            self.wanted[self.count] = wanted
            self.slots[self.count] = (wanted & mask) * 2
            LBDNS_FETCH(&server.table[self.slots[self.count]])
            peek_subnet(&self.asked[self.count], server, starts[index], lengths[index])
            self.count += 1

    cdef void fetch(self, Server server, Counters counters) noexcept nogil:
        """Ask for all that follows from the slots, and forget the batch; of `counters` for what will be counted."""
        cdef int index, probe, kept = 0
        cdef unsigned int entry
        cdef unsigned long long slot, mask = mask_of(server)
        for index in range(self.count):
            slot = self.slots[index]
            for probe in range(PROBES_MAX):
                entry = server.table[slot]
                if entry == 0:
                    break
                if server.table[slot + 1] == self.wanted[index] >> 32:
                    self.asked[kept] = self.asked[index]
                    self.asked[kept].entry = entry - 1
                    LBDNS_FETCH(&server.name_row[<unsigned long long>(entry - 1) * NAME_ROW])
                    kept += 1
                    break
                slot = (slot + 2) & (mask * 2 + 1)
        self.count = 0
        kept = self.fetch_rows(server, kept)
        if kept:
            self.walk_tries(server, kept)
            self.fetch_lists(server, counters, kept)

    cdef int fetch_rows(self, Server server, int count) noexcept nogil:
        """Ask for what stands at the first `count` names; return how many of them have load balancers, which come to
        stand first."""
        cdef int index, steered = 0, answered = 0
        cdef unsigned int first, entry
        cdef unsigned long long row, template
        for index in range(count):
            row = <unsigned long long>self.asked[index].entry * NAME_ROW
            first = server.name_row[row + ROW_OFFSET]
            LBDNS_FETCH(&server.blob[first])
            LBDNS_FETCH(&server.blob[first] + LINE_BYTES / 2)
            if server.name_row[row + ROW_RRSETS] & RRSETS_MASK:
                first = server.name_row[row + ROW_FIRST_RRSET]
                LBDNS_FETCH(&server.rrset_type[first])
                LBDNS_FETCH(&server.rrset_template[first])
                self.rrsets[answered] = first
                answered += 1
            entry = server.name_row[row + ROW_LOAD_BALANCER]
            if entry != NO_ROW:
                fetch_load_balancer(server, entry)
                self.asked[steered] = self.asked[index]
                self.asked[steered].entry = entry
                steered += 1
        for index in range(answered):
            template = server.rrset_template[self.rrsets[index]]
            if template != NO_TEMPLATE:
                LBDNS_FETCH(&server.template_blob[template])
                LBDNS_FETCH(&server.template_blob[template] + LINE_BYTES / 2)
        return steered

    cdef void walk_tries(self, Server server, int count) noexcept nogil:
        """Walk the tries of those load balancers that go by an ECS address, each a node further in turn."""
        cdef int index, walking = 0
        cdef unsigned int lb, record
        cdef unsigned long long bits
        for index in range(count):
            lb = self.asked[index].entry
            self.asked[index].record = TRIE_LEAF
            if (
                self.asked[index].version
                and server.lb_flags[lb] & LB_ECS_PREFERRED
                and server.lb_ecs_trie[lb] != NO_TRIE
            ):
                self.asked[index].record = server.trie_root[
                    <unsigned long long>server.lb_ecs_trie[lb] * 2 + (self.asked[index].version == 6)
                ]
                walking += 1
        if walking == 0:
            return
        for _ in range(AHEAD_NODES):
            walking = 0
            for index in range(count):
                record = self.asked[index].record
                if record < TRIE_LEAF:
                    bits = self.asked[index].high >> (64 - TRIE_STRIDE)
                    record = server.trie_nodes[<unsigned long long>record * TRIE_WIDTH + bits]
                    self.asked[index].record = record
                    self.asked[index].high <<= TRIE_STRIDE
                    if record < TRIE_LEAF:
                        LBDNS_FETCH(&server.trie_nodes[<unsigned long long>record * TRIE_WIDTH])
                        walking += 1
            if walking == 0:
                return

    cdef void fetch_lists(self, Server server, Counters counters, int count) noexcept nogil:
        """Ask for what a decision reads of its list of pools, then for the first of them."""
        cdef int index, kept = 0
        cdef unsigned int lb, found, place
        cdef unsigned long long cell
        for index in range(count):
            lb = self.asked[index].entry
            fetch_count(counters, LOAD_BALANCERS_FIRST, server.lb_slot[lb])
            if server.lb_flags[lb] & (LB_VARIES | LB_FIXED):
                continue  # another row decides, or none
            place = self.asked[index].record & CLASS_MASK
            if server.lb_select[lb] == SELECT_NEAREST:
                cell = server.lb_lists[lb]
            elif self.asked[index].record < TRIE_LEAF or place == CLASS_UNKNOWN:
                cell = <unsigned long long>server.lb_lists[lb] + server.lb_pop_class[lb]
            else:
                cell = <unsigned long long>server.lb_ecs_lists[lb] + place
            found = server.class_list[cell]
            self.chosen[kept] = found
            kept += 1
            LBDNS_FETCH(&server.list_start[found])
            LBDNS_FETCH(&server.list_count[found])
        count, kept = kept, 0
        for index in range(count):
            if server.list_count[self.chosen[index]]:
                found = server.member_pool[server.list_start[self.chosen[index]]]
                self.chosen[kept] = found
                kept += 1
                fetch_pool(server, found)
        self.fetch_pools(server, counters, kept)

    cdef void fetch_pools(self, Server server, Counters counters, int count) noexcept nogil:
        """Ask for the health of the first `count` chosen pools, and for their endpoints."""
        cdef int index, kept = 0
        cdef unsigned int pool, slot, first
        for index in range(count):
            pool = self.chosen[index]
            slot = server.pool_slot[pool]
            LBDNS_FETCH(&server.pool_state[slot])
            fetch_count(counters, POOLS_FIRST, slot)
            if server.pool_endpoint_count[pool]:
                first = server.pool_endpoint_start[pool]
                self.chosen[kept] = first
                kept += 1
                fetch_endpoints(server, first, first + server.pool_endpoint_count[pool] - 1)
        for index in range(kept):
            slot = server.endpoint_slot[self.chosen[index]]
            LBDNS_FETCH(&server.endpoint_state[slot])
            fetch_count(counters, ENDPOINTS_FIRST, slot)


cdef void keep(Hashed *hashed, Server server) noexcept nogil:
    """Keep the hashes of the name that was read last, unless it has too many labels."""
    cdef int label
    if server.suffixes.count > AHEAD_LABELS:
        return
    hashed.count, hashed.length = server.suffixes.count, server.suffixes.length
    for label in range(hashed.count):
        hashed.starts[label] = server.suffixes.starts[label]
        hashed.hashes[label] = server.suffixes.hashes[label]


cdef void fetch_load_balancer(Server server, unsigned int lb) noexcept nogil:
    """Ask for what a decision reads of a load balancer first."""
    LBDNS_FETCH(&server.lb_ecs_trie[lb])
    LBDNS_FETCH(&server.lb_resolver_trie[lb])
    LBDNS_FETCH(&server.lb_pop_class[lb])
    LBDNS_FETCH(&server.lb_lists[lb])
    LBDNS_FETCH(&server.lb_ecs_lists[lb])
    LBDNS_FETCH(&server.lb_ttl[lb])
    LBDNS_FETCH(&server.lb_slot[lb])


cdef void fetch_pool(Server server, unsigned int pool) noexcept nogil:
    """Ask for what a decision reads of a pool."""
    LBDNS_FETCH(&server.pool_slot[pool])
    LBDNS_FETCH(&server.pool_shape[<unsigned long long>pool * FAMILY_COUNT])
    LBDNS_FETCH(&server.pool_shed_threshold[<unsigned long long>pool * 2])
    LBDNS_FETCH(&server.pool_endpoint_start[pool])
    LBDNS_FETCH(&server.pool_endpoint_count[pool])


cdef void fetch_endpoints(Server server, unsigned int first, unsigned int last) noexcept nogil:
    """Ask for what a decision reads of the endpoints of a small pool."""
    LBDNS_FETCH(&server.endpoint_slot[first])
    LBDNS_FETCH(&server.endpoint_address[<unsigned long long>first * ADDRESS_BYTES])
    LBDNS_FETCH(&server.endpoint_address[<unsigned long long>last * ADDRESS_BYTES])


cdef void peek_subnet(Asked *asked, Server server, int start, int length) noexcept nogil:
    """Look for a Client Subnet option behind the question that was read last, where most have it: first in an OPT record
    that is the one record. What is read here answers nothing: read.py looks at the whole of it."""
    cdef int position = HEADER_BYTES + server.name_bytes + QUESTION_TAIL_BYTES
    cdef int octet
    cdef const unsigned char *at = &server.incoming[start + position]
    cdef unsigned long long high = 0
    asked.version = 0
    position += OPT_BYTES + SUBNET_HEAD_BYTES
    if position >= length or at[0] or at[1] or at[2] != TYPE_OPT or at[OPT_BYTES] or at[OPT_BYTES + 1] != OPTION_ECS:
        return
    asked.version = 6 if at[OPT_BYTES + 5] == 2 else 4
    at += OPT_BYTES + SUBNET_HEAD_BYTES
    for octet in range(min(length - position, 8)):
        high = high | <unsigned long long>at[octet] << (56 - 8 * octet)
    asked.high = high


cdef void fetch_count(Counters counters, int first, unsigned int slot) noexcept nogil:
    """Ask for the word that counts for a slot."""
    LBDNS_FETCH_TO_WRITE(&counters.words[<unsigned long long>first + slot])
