from lbdns.fastpath.read cimport Server


cdef class Ahead:
    cdef unsigned long long slots[64]
    cdef unsigned long long wanted[64]
    cdef unsigned int entries[64]
    cdef int count
    cdef void add(self, Server server, int start, int length) noexcept nogil
    cdef void fetch(self, Server server) noexcept nogil


cdef bint is_worth_it(Server server) noexcept nogil
