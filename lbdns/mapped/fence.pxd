# The C form of fence.py.
cdef extern from *:
    """
    #define lbdns_hardware_fence() __atomic_thread_fence(__ATOMIC_ACQUIRE)
    #define lbdns_hardware_write_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
    """
    void hardware_fence "lbdns_hardware_fence"() noexcept nogil
    void hardware_write_fence "lbdns_hardware_write_fence"() noexcept nogil

cpdef void read_fence() noexcept nogil

cpdef void write_fence() noexcept nogil
