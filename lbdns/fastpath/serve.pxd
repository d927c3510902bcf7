# The C types of serve.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.limit cimport limit_reply, may_ask
from lbdns.fastpath.read cimport Server, forget_rest, get16, read_name, read_rest, read_unasked
from lbdns.fastpath.signed cimport serve_signed
from lbdns.fastpath.write cimport (
    field16,
    field32,
    put16,
    steer_on,
    target_bytes,
    write_body,
    write_broken,
    write_end,
    write_head,
    write_refusal,
    write_rest,
    write_steered,
    write_template,
    write_truncated,
)
from lbdns.fastpath.write_opt cimport opt_bytes
from lbdns.mapped.rate_words cimport *
from lbdns.snapshot.lookup.look_up cimport directory_of, has_load_balancer, look_up
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.snapshot.lookup.name_table cimport hash_suffixes
from lbdns.snapshot.lookup.view_of cimport view_of


@cython.locals(size=cython.int)
cpdef int serve(Server server, int start, int length, int base) noexcept nogil

@cython.locals(refusal=cython.int, kind=cython.int, template=cython.uint)
cdef int serve_whole(Server server, int start, int length, int base) noexcept nogil

@cython.locals(opcode=cython.int)
cdef bint is_heard(Server server, int start) noexcept nogil

cdef bint is_long_asked(Server server) noexcept nogil

cdef bint is_transfer(Server server, int refusal) noexcept nogil

cdef bint is_signed(Server server) noexcept nogil

@cython.locals(kind=cython.int, template=cython.uint)
cdef unsigned int template_found(Server server) noexcept nogil

@cython.locals(found=cython.int)
cdef void choose_view(Server server) noexcept nogil

cdef int guard(Server server, int start, int length) noexcept nogil

cdef int serve_unasked(Server server, int start, int length, int base) noexcept nogil

cdef bint is_for_cookie(Server server, int start) noexcept nogil

@cython.locals(position=cython.int)
cpdef int write_overflow(Server server, int start, int base) noexcept nogil

cdef int refusal_of(Server server, int start) noexcept nogil

@cython.locals(row=cython.uint, template=cython.uint)
cdef unsigned int any_template(Server server) noexcept nogil

cdef int write_rrset(Server server, int start, int base, unsigned int template) noexcept nogil

@cython.locals(pair=cython.ulonglong, _=cython.int)
cdef unsigned int choose(Server server, unsigned int choice, int qtype) noexcept nogil

cdef void find_balancer(Server server, unsigned int template) noexcept nogil

@cython.locals(zone=cython.uint, asked=cython.int, position=cython.int, count=cython.int)
cdef int write_dnames(Server server, int start, int base) noexcept nogil

@cython.locals(
    entry=cython.uint, index=cython.int, template=cython.uint, prefix=cython.int, body=cython.int, ttl=cython.int,
    target=cython.int, size=cython.int, end=cython.int, before=cython.int, made=cython.int, byte=cython.uchar,
)
cdef int write_dname(Server server, int start, int base, int position, int count) noexcept nogil

cdef int end_dnames(Server server, int start, int base, int position) noexcept nogil

@cython.locals(kind=cython.int, template=cython.uint)
cdef int write_found(Server server, int start, int base, int position) noexcept nogil
