# The C types of message_tests.py.
cimport cython

from lbdns.mapped.columns cimport *
from lbdns.steering.kernel.numbers cimport *
from lbdns.steering.kernel.view cimport Decision, Query, View


@cython.locals(
    first=cython.uint, bits=cython.uint, laid_out=cython.int, length=cython.int, index=cython.int, test=cython.uint
)
cpdef unsigned int bits_of(View view, Query query, Decision decision, unsigned int rules) noexcept nogil

@cython.locals(at=cython.int, label=cython.int, index=cython.int)
cdef int put_name(Query query, Decision decision) noexcept nogil

cdef int put_ecs_text(Query query, Decision decision) noexcept nogil

@cython.locals(left_out=cython.int, longest=cython.int, run=cython.int, group=cython.int, at=cython.int)
cpdef int put_address(
    int version, unsigned long long high, unsigned long long low, Decision decision
) noexcept nogil

@cython.locals(word=cython.ulonglong)
cdef unsigned int group_of(unsigned long long high, unsigned long long low, int group) noexcept nogil

@cython.locals(shift=cython.int, digit=cython.uint)
cdef int put_hex(Decision decision, int at, unsigned int value) noexcept nogil

@cython.locals(at=cython.int, octet=cython.int, value=cython.uint)
cdef int put_quad(Decision decision, unsigned int address) noexcept nogil

@cython.locals(
    start=cython.int, end=cython.int, op=cython.int, operand=cython.uint, size=cython.int, flags=cython.int,
    last=cython.int, at=cython.int, order=cython.int,
)
cdef bint holds(View view, Decision decision, unsigned int test, int length) noexcept nogil

cdef int bound(int place, int length) noexcept nogil

@cython.locals(op=cython.int, number=cython.longlong, at=cython.uint, end=cython.uint)
cdef bint has_length(View view, unsigned int test, long long length) noexcept nogil

@cython.locals(value=cython.longlong, octet=cython.int)
cdef long long number_at(View view, unsigned int at) noexcept nogil

@cython.locals(byte=cython.int)
cdef int byte_at(Decision decision, int flags, int at) noexcept nogil

@cython.locals(index=cython.int)
cdef bint has_at(
    View view, Decision decision, int flags, int at, unsigned int operand, int size
) noexcept nogil

@cython.locals(at=cython.uint, last=cython.uint, size=cython.int)
cdef bint is_one_of(View view, Decision decision, unsigned int test, int start, int end) noexcept nogil

@cython.locals(shared=cython.int, index=cython.int, byte=cython.int, other=cython.int)
cdef int compare(
    View view, Decision decision, int flags, int start, int end, unsigned int operand, int size
) noexcept nogil

@cython.locals(
    flags=cython.int, at=cython.uint, last=cython.uint, after_star=cython.uint, taken=cython.int, escaped=cython.bint
)
cdef bint is_like(View view, Decision decision, unsigned int test, int start, int end) noexcept nogil

cdef bint is_same_byte(int byte, int other, int flags) noexcept nogil
