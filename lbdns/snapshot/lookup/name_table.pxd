# The C types of names.py.
cimport cython

cdef unsigned long long FNV_OFFSET, FNV_PRIME, MASK_64
cdef unsigned int NO_NAME
cdef int LABELS_MAX, NAME_BYTES_MAX, NAME_ROW, ROW_OFFSET, ROW_ZONE


cdef class Suffixes:
    cdef public int count, length
    cdef readonly object buffer
    cdef readonly unsigned char[::1] name
    cdef readonly int[::1] starts
    cdef readonly unsigned long long[::1] hashes


cdef class NameTable:
    cdef public const unsigned int[::1] table
    cdef public unsigned long long mask
    cdef public const unsigned int[::1] name_row
    cdef public const unsigned char[::1] blob


@cython.locals(
    count=cython.int, position=cython.int, length=cython.int, hashed=cython.ulonglong, label=cython.int,
    end=cython.int, index=cython.int,
)
cpdef void hash_suffixes(Suffixes suffixes) noexcept nogil

cpdef unsigned long long spread(unsigned long long hashed) noexcept nogil

@cython.locals(wanted=cython.ulonglong, slot=cython.ulonglong, start=cython.int, entry=cython.uint, row=cython.ulonglong)
cpdef unsigned int find(NameTable names, unsigned int zone, Suffixes suffixes, int label) noexcept nogil

@cython.locals(index=cython.int)
cdef bint is_same(NameTable names, long long offset, Suffixes suffixes, int start) noexcept nogil
