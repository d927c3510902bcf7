# The C types of view.py.
from lbdns.mapped.columns cimport *
from lbdns.mapped.typed_columns cimport TypedColumns
from lbdns.steering.kernel.numbers cimport *


cdef class View(TypedColumns):
    cdef public int pop_region


cdef class Query:
    cdef public unsigned int lb, asked_bits
    cdef public unsigned char[::1] name
    cdef public int family, resolver_version, ecs_version, ecs_bits
    cdef public unsigned long long resolver_high, resolver_low, ecs_high, ecs_low, draw_base
    cdef public long long now_s
    cdef public bint draw_fixed, wants_cname


cdef class Decision:
    cdef public int outcome, pool, mode, scope, rule_scope, location_source, pick_count, passed_count
    cdef public int address_count
    cdef public bint is_fallback, ecs_used, is_alias
    cdef public long long ttl, signed_ttl
    cdef public unsigned int base, lb, verdict, set_verdict, place_class, pool_list
    cdef public unsigned long long hash_key, address_draw
    cdef readonly int[::1] picks, passed_pool, passed_reason, owners
    cdef readonly unsigned long long[::1] scores
    cdef readonly unsigned char[::1] addresses, subject
    cdef readonly bytearray buffer
