# The C form of octets.py: a macro, so that it is no call but memcpy's. Buffers of it do not overlap.
cdef extern from *:
    """
    #include <string.h>
    #define lbdns_copy_octets(source, offset, room, position, size) \
        ((void)memcpy((room).data + (position), (source).data + (offset), (size_t)(size)))
    """
    void copy_octets "lbdns_copy_octets"(
        const unsigned char[::1] source, unsigned long long offset, unsigned char[::1] room, unsigned long long position, int size
    ) noexcept nogil
