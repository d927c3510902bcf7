# cython: language_level=3
"""Memory asked for ahead: what a batch of queries will read of a large snapshot, before the first of them is answered.

    for each datagram: its name's hash -> slot of the name table; the hashes are kept for its road
    for each:          slot -> the name's row
    for each:          row -> the name itself, its RRsets or load balancer
    for each:          first RRset -> its template

One query's look-ups wait for each other; those of a batch need not. Between two passes over the batch the memory of the
earlier one has come. It is a hint and nothing else: what is answered does not depend on what is found here, and a
snapshot that fits the nearest cache is left alone: the kernel's own work takes the rest of it between two batches. Cython
alone, as the hint has no interpreted form.
"""

from lbdns.dns.codes cimport *
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.read cimport Server
from lbdns.snapshot.lookup.name_rows cimport *

# What reads and hashes names, as one piece of C with this, written from its modules by setup.py.
include "lbdns/fastpath/name_road.pxi"

cdef extern from *:
    """
    #define LBDNS_FETCH(p) __builtin_prefetch((p), 0, 3)
    """
    void LBDNS_FETCH(const void *) nogil

cdef enum:
    PROBES_MAX = 4  # slots looked at for one name; more are rare
    LINE_BYTES = 64
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
            self.count += 1

    cdef void fetch(self, Server server) noexcept nogil:
        """Ask for all that follows from the slots, and forget the batch."""
        cdef int index, probe, kept = 0
        cdef unsigned int first, entry
        cdef unsigned long long slot, row, template, mask = mask_of(server)
        for index in range(self.count):
            slot = self.slots[index]
            for probe in range(PROBES_MAX):
                entry = server.table[slot]
                if entry == 0:
                    break
                if server.table[slot + 1] == self.wanted[index] >> 32:
                    self.entries[kept] = entry - 1
                    LBDNS_FETCH(&server.name_row[<unsigned long long>(entry - 1) * NAME_ROW])
                    kept += 1
                    break
                slot = (slot + 2) & (mask * 2 + 1)
        for index in range(kept):
            row = <unsigned long long>self.entries[index] * NAME_ROW
            first = server.name_row[row + ROW_OFFSET]
            LBDNS_FETCH(&server.blob[first])
            LBDNS_FETCH(&server.blob[first] + LINE_BYTES / 2)
            entry = server.name_row[row + ROW_LOAD_BALANCER]
            if entry != NO_ROW:
                fetch_load_balancer(server, entry)
            if server.name_row[row + ROW_RRSETS] & RRSETS_MASK:
                first = server.name_row[row + ROW_FIRST_RRSET]
                LBDNS_FETCH(&server.rrset_type[first])
                LBDNS_FETCH(&server.rrset_template[first])
        for index in range(kept):
            row = <unsigned long long>self.entries[index] * NAME_ROW
            if server.name_row[row + ROW_RRSETS] & RRSETS_MASK:
                template = server.rrset_template[server.name_row[row + ROW_FIRST_RRSET]]
                if template != NO_TEMPLATE:
                    LBDNS_FETCH(&server.template_blob[template])
                    LBDNS_FETCH(&server.template_blob[template] + LINE_BYTES / 2)
        self.count = 0


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
    LBDNS_FETCH(&server.lb_flags[lb])
    LBDNS_FETCH(&server.lb_select[lb])
    LBDNS_FETCH(&server.lb_ecs_trie[lb])
    LBDNS_FETCH(&server.lb_resolver_trie[lb])
    LBDNS_FETCH(&server.lb_pop_class[lb])
    LBDNS_FETCH(&server.lb_lists[lb])
    LBDNS_FETCH(&server.lb_ecs_lists[lb])
    LBDNS_FETCH(&server.lb_ttl[lb])
    LBDNS_FETCH(&server.lb_slot[lb])
