# The C form of fence.py.
cdef extern from *:
    """
    #define lbdns_hardware_fence() __atomic_thread_fence(__ATOMIC_ACQUIRE)
    """
    void hardware_fence "lbdns_hardware_fence"() noexcept nogil

cpdef void read_fence() noexcept nogil
