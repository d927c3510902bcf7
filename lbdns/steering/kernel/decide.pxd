# The C types of decide.py.
cimport cython

from lbdns.mapped.columns cimport *
from lbdns.steering.kernel.endpoints cimport draw32, is_unresolved, list_answers, pick_endpoints
from lbdns.steering.kernel.hashing cimport address_key, mix64
from lbdns.steering.kernel.message_tests cimport bits_of
from lbdns.steering.kernel.numbers cimport *
from lbdns.steering.kernel.view cimport Decision, Query, View


@cython.locals(fallback=cython.uint)
cpdef int decide(View view, Query query, Decision decision) noexcept nogil

cdef bint vary(View view, Query query, Decision decision) noexcept nogil

@cython.locals(trie=cython.uint, cell=cython.ulonglong, found=cython.ulonglong)
cdef unsigned int verdict_of_rules(
    View view, Query query, Decision decision, unsigned int rules
) noexcept nogil

cdef int scope_of_rules(View view, Query query, unsigned int rules, int depth) noexcept nogil

cdef void lengthen(Decision decision, int bits) noexcept nogil

cdef void follow(View view, Decision decision, unsigned int verdict) noexcept nogil

cdef unsigned int list_of(View view, Decision decision) noexcept nogil

@cython.locals(record=cython.uint, depth=cython.int, bits=cython.uint)
cpdef unsigned long long walk(
    View view, unsigned int trie, int version, unsigned long long high, unsigned long long low
) noexcept nogil

@cython.locals(flags=cython.int, trie=cython.uint, located=cython.uint, found=cython.ulonglong)
cdef void locate(View view, Query query, Decision decision) noexcept nogil

@cython.locals(hashed=cython.int, bits=cython.int, depth=cython.int)
cdef void scope_of_hash(View view, Query query, Decision decision) noexcept nogil

cdef void pass_over(Decision decision, int pool, int reason) noexcept nogil

@cython.locals(index=cython.uint, threshold=cython.ulonglong, name_hash=cython.ulonglong, drawn=cython.ulonglong)
cdef bint is_shed(View view, Query query, Decision decision, int pool) noexcept nogil

@cython.locals(flags=cython.int, state=cython.int)
cpdef int reason_against(View view, Query query, Decision decision, int pool) noexcept nogil

@cython.locals(
    select=cython.int, start=cython.uint, end=cython.uint, best=cython.int, best_rtt=cython.float, rtt=cython.float,
    member=cython.uint, pool=cython.int, reason=cython.int,
)
cdef int pick_pool(View view, Query query, Decision decision) noexcept nogil

@cython.locals(
    total=cython.ulonglong, drawn=cython.ulonglong, member=cython.uint, pool=cython.int, reason=cython.int,
    passed=cython.int,
)
cdef int pick_pool_weighted(
    View view, Query query, Decision decision, unsigned int start, unsigned int end
) noexcept nogil

@cython.locals(
    best=cython.int, best_cosine=cython.double, cosine=cython.double, unit=cython.ulonglong, at=cython.ulonglong,
    member=cython.uint, pool=cython.int, reason=cython.int,
)
cdef int pick_pool_nearest(
    View view, Query query, Decision decision, unsigned int start, unsigned int end
) noexcept nogil
