# The C types of endpoints.py.
cimport cython

from lbdns.mapped.columns cimport *
from lbdns.mapped.fence cimport read_fence
from lbdns.steering.kernel.hashing cimport address_key, draw64, mix64, rendezvous_score
from lbdns.steering.kernel.numbers cimport *
from lbdns.steering.kernel.view cimport Decision, Query, View


cpdef unsigned long long draw32(Query query, unsigned long long salt) noexcept nogil

@cython.locals(is_apex=cython.int)
cpdef int reason_against_endpoint(View view, Query query, Decision decision, int endpoint) noexcept nogil

@cython.locals(state=cython.int, counts=cython.int)
cdef int reason_in_family(
    View view, int is_apex, int family, int pool, bint is_fallback, int endpoint
) noexcept nogil

@cython.locals(start=cython.uint, lacks=cython.bint, endpoint=cython.int, family=cython.int, reason=cython.int)
cpdef bint is_unresolved(View view, int is_apex, int pool) noexcept nogil

cdef bint may_be_cname(View view, int family, int endpoint) noexcept nogil

cpdef bint is_cname(View view, unsigned int lb, int family, int endpoint) noexcept nogil

cdef bint is_resolved(View view, int family, int endpoint) noexcept nogil

@cython.locals(
    pool=cython.int, pool_flags=cython.int, start=cython.uint, shape=cython.int, count=cython.int,
    total=cython.ulonglong, endpoint=cython.int, sticky=cython.int, hashed=cython.bint, chosen=cython.int,
)
cpdef void pick_endpoints(View view, Query query, Decision decision) noexcept nogil

@cython.locals(drawn=cython.ulonglong, index=cython.int, weight=cython.uint)
cdef int weighted_choice(
    View view, Query query, Decision decision, int shape, unsigned long long total
) noexcept nogil

@cython.locals(
    best=cython.int, best_score=cython.double, index=cython.int, endpoint=cython.int, weight=cython.uint,
    score=cython.double,
)
cdef int hash_choice(View view, Decision decision, int shape) noexcept nogil

@cython.locals(held=cython.int)
cdef void reverse(Decision decision, int start, int end) noexcept nogil

cdef void rotate(Decision decision, int first) noexcept nogil

@cython.locals(kept=cython.int, index=cython.int)
cdef void keep_first_or_flattened(View view, Query query, Decision decision) noexcept nogil

@cython.locals(count=cython.int, most=cython.int)
cpdef void list_answers(View view, Query query, Decision decision) noexcept nogil

@cython.locals(hashed=cython.int, place=cython.int, chosen=cython.int, other=cython.int)
cdef void keep_some(View view, Query query, Decision decision, int count, int most) noexcept nogil

@cython.locals(place=cython.int, endpoint=cython.int, hashed=cython.ulonglong, high=cython.ulonglong)
cdef void score_answers(View view, Query query, Decision decision, int count) noexcept nogil

@cython.locals(octet=cython.int, word=cython.ulonglong)
cdef unsigned long long word_of(Decision decision, int at) noexcept nogil

@cython.locals(owner=cython.int, score=cython.ulonglong, octet=cython.int, held=cython.int)
cdef void swap_answers(Query query, Decision decision, int some, int other) noexcept nogil

@cython.locals(index=cython.int)
cdef void pick_once(Decision decision, int endpoint) noexcept nogil

@cython.locals(index=cython.int, endpoint=cython.int, left=cython.longlong)
cdef void shorten_ttl(View view, Query query, Decision decision) noexcept nogil

@cython.locals(
    size=cython.int, kept=cython.int, may_repeat=cython.bint, index=cython.int, endpoint=cython.int, number=cython.int,
    end=cython.int,
)
cpdef int list_addresses(View view, int family, Decision decision) noexcept nogil

@cython.locals(at=cython.int, first=cython.int, octet=cython.int)
cdef bint is_listed(Decision decision, int kept, int number, int size) noexcept nogil

@cython.locals(octet=cython.int)
cdef void move_address(Decision decision, int number, int to, int size) noexcept nogil

@cython.locals(octet=cython.int)
cdef void read_own(View view, Decision decision, int endpoint, int number, int size) noexcept nogil

@cython.locals(
    at=cython.int, octet=cython.int, first=cython.ulonglong, _=cython.int, version=cython.uint, count=cython.int
)
cdef int read_resolved(
    View view, int family, Decision decision, unsigned long long slot, int number
) noexcept nogil
