# The C types of signature_lookup.py. Masks in the source are no-ops on unsigned 64-bit integers.
cimport cython

from lbdns.mapped.columns cimport *
from lbdns.mapped.fence cimport read_fence
from lbdns.mapped.octets cimport *
from lbdns.mapped.signature_words cimport *
from lbdns.mapped.typed_columns cimport TypedColumns


cdef class SignedKey:
    cdef readonly unsigned long long[::1] words
    cdef public unsigned long long secret_high, secret_low, sum_high, sum_low, high, low
    cdef unsigned long long first, second, third, fourth


cpdef void begin_key(SignedKey key, unsigned long long secret_high, unsigned long long secret_low) noexcept nogil

@cython.locals(count=cython.int, left=cython.longlong)
cpdef void add_rdata(SignedKey key, const unsigned char[::1] octets, unsigned long long at, long long size) noexcept nogil

@cython.locals(count=cython.int)
cpdef void end_key(
    SignedKey key, const unsigned char[::1] name, unsigned long long at, int size, unsigned long long rtype, unsigned long long ttl,
    unsigned long long key_id
) noexcept nogil

@cython.locals(_=cython.int, index=cython.int, word=cython.ulonglong)
cdef int fill(SignedKey key, int count, const unsigned char[::1] octets, unsigned long long at, int size) noexcept nogil

cdef unsigned long long as_word(unsigned char octet) noexcept nogil

@cython.locals(step=cython.int)
cdef void sip(SignedKey key, int count) noexcept nogil

@cython.locals(
    first=cython.ulonglong, second=cython.ulonglong, third=cython.ulonglong, fourth=cython.ulonglong, step=cython.int,
    word=cython.ulonglong,
)
cdef void stir(SignedKey key, int begin, int end) noexcept nogil

cdef unsigned long long turned(unsigned long long word, int bits) noexcept nogil

@cython.locals(
    slots=cython.ulonglong, first=cython.ulonglong, slot=cython.ulonglong, row=cython.ulonglong, at=cython.ulonglong
)
cpdef long long find_signed(TypedColumns columns, unsigned long long high, unsigned long long low) noexcept nogil

cpdef int signed_bytes(TypedColumns columns, unsigned long long slot) noexcept nogil

@cython.locals(words=cython.ulonglong, state=cython.ulonglong, source=cython.ulonglong, used=cython.uint)
cpdef bint copy_signed(
    TypedColumns columns,
    unsigned long long slot,
    unsigned long long high,
    unsigned long long low,
    int size,
    unsigned long long now_s,
    const unsigned char[::1] signer,
    unsigned long long signer_at,
    int signer_bytes,
    unsigned char[::1] room,
    unsigned long long at,
) noexcept nogil
