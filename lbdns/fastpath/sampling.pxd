# The C types of sampling.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.fastpath.read cimport Server
from lbdns.mapped.columns cimport *
from lbdns.mapped.sample_ring cimport SampleRing, begin_record, end_record, is_owned
from lbdns.mapped.sample_words cimport *
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.steering.kernel.hashing cimport mix64
from lbdns.steering.kernel.numbers cimport *
from lbdns.steering.kernel.view cimport Decision, Query, View

cdef extern from *:
    """
    #include <math.h>
    #define lbdns_log(x) log(x)
    #define lbdns_whole(x) ((long long)(x))
    """
    double log_of "lbdns_log"(double) noexcept nogil
    long long whole "lbdns_whole"(double) noexcept nogil


cdef class Sampler:
    cdef public SampleRing ring
    cdef public unsigned long long random, mask_4, mask_6
    cdef public double quota
    cdef public long long interval, weight, left, drawn, written, seen_before
    cdef public long long period_began_ns, period_ends_ns, unix_ns
    cdef public unsigned int generation
    cdef public int transport, kind, seen_view, known_view, scope
    cdef public bint is_steered, has_networks


@cython.locals(seen=cython.longlong, interval=cython.longlong, wanted=cython.double)
cpdef void begin_batch(Sampler sampler, long long now_ns) noexcept nogil

cpdef void set_interval(Sampler sampler, long long interval) noexcept nogil

@cython.locals(drawn=cython.double, share=cython.double)
cpdef void draw_next(Sampler sampler) noexcept nogil

cpdef bint is_due(Sampler sampler) noexcept nogil

@cython.locals(is_taken=cython.bint, guard=cython.longlong, step=cython.longlong)
cpdef bint take(Sampler sampler) noexcept nogil

cpdef void sample_served(Sampler sampler, Server server, int base) noexcept nogil

@cython.locals(word=cython.ulonglong, half=cython.ulonglong, octet=cython.ulonglong)
cpdef void write_sample(
    Sampler sampler, View view, Query query, Decision decision, unsigned char[::1] reply, int base
) noexcept nogil

@cython.locals(at=cython.int, size=cython.int, label=cython.int, byte=cython.uchar, _=cython.int)
cdef void put_question(
    SampleRing ring, unsigned long long octet, unsigned char[::1] reply, int base
) noexcept nogil

@cython.locals(has_ecs=cython.bint)
cdef void put_networks(
    Sampler sampler, unsigned long long word, unsigned long long octet, Query query
) noexcept nogil

@cython.locals(flags=cython.int, count=cython.int)
cdef void put_decision(
    SampleRing ring, unsigned long long half, unsigned long long octet, View view, Query query, Decision decision
) noexcept nogil

@cython.locals(first=cython.uint, start=cython.uint, index=cython.uint)
cdef int put_hits(
    SampleRing ring, unsigned long long half, View view, unsigned int lb, unsigned int verdict, int count
) noexcept nogil

@cython.locals(count=cython.int, index=cython.int)
cdef void put_passed(
    SampleRing ring, unsigned long long half, unsigned long long octet, View view, Decision decision
) noexcept nogil

@cython.locals(pool=cython.int, slot=cython.uint, start=cython.uint, index=cython.int, count=cython.int)
cdef void put_pool(
    SampleRing ring, unsigned long long half, unsigned long long octet, View view, Decision decision
) noexcept nogil
