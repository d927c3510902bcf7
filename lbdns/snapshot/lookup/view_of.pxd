# The C types of view_of.py.
cimport cython

from lbdns.steering.kernel.decide cimport walk
from lbdns.steering.kernel.numbers cimport *
from lbdns.steering.kernel.view cimport Query, View


@cython.locals(trie=cython.uint, found=cython.ulonglong, row=cython.uint, depth=cython.int)
cpdef int view_of(View view, Query query, int known) noexcept nogil

@cython.locals(trie=cython.uint)
cdef bint is_trusted(View view, Query query) noexcept nogil
