# The C types of view.py.
cdef class View:
    cdef public const unsigned char[::1] lb_select, lb_flags
    cdef public const unsigned int[::1] lb_ttl, lb_fallback, lb_ecs_trie, lb_resolver_trie, lb_pop_class, lb_lists, lb_ecs_lists, lb_slot
    cdef public const unsigned int[::1] class_list, list_start, list_count
    cdef public const unsigned char[::1] list_flags
    cdef public const unsigned int[::1] member_pool, member_weight
    cdef public const unsigned int[::1] pool_slot
    cdef public const unsigned char[::1] pool_flags
    cdef public const unsigned int[::1] pool_endpoint_start, pool_endpoint_count
    cdef public const unsigned char[::1] pool_shape
    cdef public const unsigned long long[::1] pool_hash, pool_shed_threshold
    cdef public const unsigned char[::1] pool_shed_policy
    cdef public const unsigned int[::1] endpoint_slot
    cdef public const unsigned char[::1] endpoint_weight, endpoint_families, endpoint_flags, endpoint_enabled
    cdef public const unsigned long long[::1] endpoint_hash
    cdef public const unsigned int[::1] trie_root, trie_nodes
    cdef public const unsigned char[::1] endpoint_state, pool_state
    cdef public const float[::1] pool_rtt
    cdef public const double[::1] unit_vector, pool_vector
    cdef public const unsigned char[::1] resolved_count
    cdef public const unsigned int[::1] resolved_expiry
    cdef public int pop_region


cdef class Query:
    cdef public unsigned int lb
    cdef public int family, resolver_version, ecs_version, ecs_bits
    cdef public unsigned long long resolver_high, resolver_low, ecs_high, ecs_low, draw_base
    cdef public long long now_s
    cdef public bint draw_fixed


cdef class Decision:
    cdef public int outcome, pool, mode, scope, location_source, pick_count, passed_count
    cdef public bint is_fallback, ecs_used
    cdef public long long ttl
    cdef public unsigned int lb, place_class, pool_list
    cdef public unsigned long long hash_key, address_draw
    cdef readonly int[::1] picks, passed_pool, passed_reason
