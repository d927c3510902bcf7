from lbdns.fastpath.read cimport Server

cdef enum:
    AHEAD_LABELS = 8  # of a name whose hashes are kept, the root among them; more are rare


cdef struct Hashed:  # a name's suffixes as name_table.py has them; `count` 0: it is not kept
    int count, length
    int starts[AHEAD_LABELS]
    unsigned long long hashes[AHEAD_LABELS]


cdef class Ahead:
    cdef Hashed hashed[64]
    cdef unsigned long long slots[64]
    cdef unsigned long long wanted[64]
    cdef unsigned int entries[64]
    cdef int count
    cdef void add(self, Server server, int got, const int *starts, const int *lengths) noexcept nogil
    cdef void fetch(self, Server server) noexcept nogil


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
