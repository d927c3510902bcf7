from lbdns.fastpath.read cimport Server
from lbdns.mapped.counters cimport Counters

cdef enum:
    AHEAD_LABELS = 8  # of a name whose hashes are kept, the root among them; more are rare


cdef struct Hashed:  # a name's suffixes as name_table.py has them; `count` 0: it is not kept
    int count, length
    int starts[AHEAD_LABELS]
    unsigned long long hashes[AHEAD_LABELS]


# A name's number, then its load balancer's; the ECS address, `version` 0 for none, `high` what of it is not yet walked;
# where in the trie that is.
cdef struct Asked:
    unsigned int entry, record
    int version
    unsigned long long high


cdef class Ahead:
    cdef Hashed hashed[64]
    cdef unsigned long long slots[64]
    cdef unsigned long long wanted[64]
    cdef Asked asked[64]
    cdef unsigned int rrsets[64]
    cdef unsigned int chosen[64]  # of each a list, then a pool, then an endpoint
    cdef int count
    cdef void add(self, Server server, int got, const int *starts, const int *lengths) noexcept nogil
    cdef void fetch(self, Server server, Counters counters) noexcept nogil
    cdef int fetch_rows(self, Server server, int count) noexcept nogil
    cdef void walk_tries(self, Server server, int count) noexcept nogil
    cdef void fetch_lists(self, Server server, Counters counters, int count) noexcept nogil
    cdef void fetch_pools(self, Server server, Counters counters, int count) noexcept nogil


cdef bint is_worth_it(Server server) noexcept nogil


cdef inline bint give_hashes(Ahead ahead, Server server, int index) noexcept nogil:
    """Give a Server the hashes of a datagram's name, its number in the batch; return whether they are kept."""
    cdef Hashed *hashed = &ahead.hashed[index]
    cdef int label
    if hashed.count == 0:
        return False
    server.suffixes.count, server.suffixes.length = hashed.count, hashed.length
    for label in range(hashed.count):
        server.suffixes.starts[label] = hashed.starts[label]
        server.suffixes.hashes[label] = hashed.hashes[label]
    return True
