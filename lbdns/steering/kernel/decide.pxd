# The C types of decide.py. Module constants become C variables, set once at import.
cimport cython

from lbdns.steering.kernel.endpoints cimport draw32, pick_endpoints
from lbdns.steering.kernel.hashing cimport address_key, mix64
from lbdns.steering.kernel.view cimport Decision, Query, View

cdef unsigned int CLASS_MASK, NO_TRIE, TRIE_LEAF
cdef int BYTE_COUNTS, CLASS_UNKNOWN, LB_ECS_PREFERRED, LB_RESOLVER_LOCATES, LB_STICKY
cdef int LIST_HASHED, LOCATED_BY_ECS, LOCATED_BY_NOTHING, LOCATED_BY_POP, LOCATED_BY_RESOLVER
cdef int MODE_ALL, NO_POOL, OUTCOME_ANSWER, OUTCOME_NO_ENDPOINT, OUTCOME_NO_POOL
cdef int PASSED_CAPACITY, PASSED_DISABLED, PASSED_DOWN, PASSED_SHED, PASSED_WEIGHT_ZERO
cdef int POOL_ENABLED, POOL_HAS_ENDPOINT, POOL_MONITORED, PRIVATE_TRIE, REGION_COUNT
cdef int SALT_POOL, SALT_SHED, SELECT_FASTEST, SELECT_WEIGHTED, SHED_BY_HASH
cdef int TAKES_TRAFFIC
cdef int HASH_BITS_4, HASH_BITS_6, SELECT_NEAREST, POOL_LOCATED
cdef int TRIE_STRIDE, TRIE_WIDTH, UNUSED_MASK, UNUSED_SHIFT
cdef double LAST_COSINE, NO_COSINE
cdef unsigned long long HASH_MASK_4, HASH_MASK_6, LOW_32


@cython.locals(fallback=cython.uint)
cpdef int decide(View view, Query query, Decision decision) noexcept nogil

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
cdef int reason_against(View view, Query query, Decision decision, int pool) noexcept nogil

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
