# The C form of octets.py: macros and what they call, so that nothing is a call once it is compiled. Buffers of a copy do
# not overlap.
cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #ifndef LBDNS_OCTETS
    #define LBDNS_OCTETS
    #define lbdns_copy_octets(source, offset, room, position, size) \
        ((void)memcpy((room).data + (position), (source).data + (offset), (size_t)(size)))
    #define lbdns_copy_lower(source, offset, room, position, size) \
        lbdns_lower((const unsigned char *)(source).data + (offset), (unsigned char *)(room).data + (position), (size))
    #define lbdns_same_octets(source, offset, other, position, size) \
        lbdns_same((const unsigned char *)(source).data + (offset), (const unsigned char *)(other).data + (position), (size))
    /* Eight octets at a time; the last eight may have some that were done before. */
    static inline void lbdns_lower_word(const unsigned char *source, unsigned char *room) {
        uint64_t word, low, upper;
        memcpy(&word, source, 8);
        low = word & 0x7F7F7F7F7F7F7F7Full;
        /* The high bit of each octet: from A on, and not behind Z. */
        upper = (low + 0x3F3F3F3F3F3F3F3Full) & ~(low + 0x2525252525252525ull) & ~word & 0x8080808080808080ull;
        word += upper >> 2;
        memcpy(room, &word, 8);
    }
    static inline void lbdns_lower(const unsigned char *source, unsigned char *room, int size) {
        int at = 0;
        if (size < 8) {
            for (; at < size; at++) room[at] = source[at] - 'A' < 26u ? source[at] + 32 : source[at];
            return;
        }
        for (; at + 8 <= size; at += 8) lbdns_lower_word(source + at, room + at);
        lbdns_lower_word(source + size - 8, room + size - 8);
    }
    static inline int lbdns_same(const unsigned char *one, const unsigned char *other, int size) {
        uint64_t mine, its;
        int at = 0;
        if (size < 8) {
            while (at < size && one[at] == other[at]) at++;
            return at == size;
        }
        for (; at + 8 <= size; at += 8) {
            memcpy(&mine, one + at, 8);
            memcpy(&its, other + at, 8);
            if (mine != its) return 0;
        }
        memcpy(&mine, one + size - 8, 8);
        memcpy(&its, other + size - 8, 8);
        return mine == its;
    }
    #endif
    """
    void copy_octets "lbdns_copy_octets"(
        const unsigned char[::1] source, unsigned long long offset, unsigned char[::1] room, unsigned long long position, int size
    ) noexcept nogil
    void copy_lower "lbdns_copy_lower"(
        const unsigned char[::1] source, unsigned long long offset, unsigned char[::1] room, unsigned long long position, int size
    ) noexcept nogil
    bint same_octets "lbdns_same_octets"(
        const unsigned char[::1] source, unsigned long long offset, unsigned char[::1] other, unsigned long long position, int size
    ) noexcept nogil
