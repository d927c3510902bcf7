# The C types of lookup.py. Module constants become C variables, set once at import.
cimport cython

from lbdns.snapshot.lookup.name_table cimport NameTable, Suffixes, find

cdef int OUT_OF_ZONE, REFERRAL, STEERED, HIT, CNAME, DNAME, NODATA, NXDOMAIN
cdef int NAME_CUT, NAME_OCCLUDED, NAME_DNAME, NAME_CNAME, FLAGS_SHIFT, NAME_ROW
cdef int ROW_FIRST_RRSET, ROW_LINK, ROW_LOAD_BALANCER, ROW_RRSETS, RRSETS_MASK
cdef int TYPE_A, TYPE_CNAME, TYPE_MX, TYPE_AAAA, TYPE_SRV, TYPE_DNAME, TYPE_DS, TYPE_ANY
cdef unsigned int NO_ROW, NO_NAME, DIRECTORY


cdef class Zones(NameTable):
    cdef public const unsigned short[::1] rrset_type
    cdef public const unsigned int[::1] zone_apex


cdef class Found:
    cdef public int kind, family
    cdef public unsigned int zone, entry, row, load_balancer


@cython.locals(label=cython.int, zone=cython.uint, index=cython.int, entry=cython.uint)
cpdef int look_up(
    Zones zones, Suffixes suffixes, int qtype, Found found
) noexcept nogil

@cython.locals(index=cython.int, entry=cython.uint)
cpdef int find_zone(
    Zones zones, Suffixes suffixes, int first, Found found
) noexcept nogil

@cython.locals(flags=cython.int, row=cython.ulonglong)
cdef int at_encloser(Zones zones, bint is_exact, int qtype, Found found) noexcept nogil

@cython.locals(position=cython.int, rrsets=cython.uint, has_any=cython.bint)
cdef void at_name(Zones zones, int qtype, Found found) noexcept nogil

@cython.locals(start=cython.uint, row=cython.uint)
cpdef unsigned int find_rrset(Zones zones, unsigned int entry, int rtype) noexcept nogil

@cython.locals(first=cython.ulonglong)
cpdef bint has_load_balancer(Zones zones, unsigned int entry) noexcept nogil
