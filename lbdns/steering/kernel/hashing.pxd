# The C types of hashing.py. Masks in the source are no-ops on unsigned 64-bit integers.
cimport cython

from lbdns.steering.kernel.numbers cimport *


cpdef unsigned long long mix64(unsigned long long value) noexcept nogil
cpdef unsigned long long draw64(unsigned long long base, unsigned long long salt) noexcept nogil
cpdef unsigned long long address_key(unsigned long long high, unsigned long long low, int version) noexcept nogil
@cython.locals(drawn=cython.ulonglong)
cpdef double rendezvous_score(unsigned long long key, unsigned long long name_hash, int weight) noexcept nogil
