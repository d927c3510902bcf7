# The rings of a queue's socket (rings.pyx).

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from lbdns.xdp.xsk_calls cimport xdp_desc, xdp_ring_offset

cdef enum:
    CHUNK_BYTES = 2048  # as the kernel counts them
    IN_FRAMES = 2048  # a chunk each, for what comes
    OUT_FRAMES = 512  # two chunks each, the second of which is never sent: the room that `serve` must have
    OUT_FRAME_BYTES = 4096  # 2 * CHUNK_BYTES
    OUT_START = 4194304  # IN_FRAMES * CHUNK_BYTES
    FRAMES_BYTES = 6291456  # OUT_START + OUT_FRAMES * OUT_FRAME_BYTES


cdef struct Ring:
    uint32_t *producer
    uint32_t *consumer
    uint32_t *flags
    uint8_t *entries
    uint32_t size
    uint8_t *place
    size_t place_bytes


cdef class Rings:
    cdef int fd, sockets_map, interface, queue, copies
    cdef int step  # of the set-up: what is done
    cdef readonly int failure  # the number of the last error, 0 for none
    cdef readonly int at_once  # how many frames the kernel sends by one call
    cdef uint8_t *frames
    cdef Ring received, fill, sent, completed
    cdef uint32_t free_frames[OUT_FRAMES]
    cdef int free_count
    cdef bint is_bound(self) noexcept nogil
    cdef bint begin(self) noexcept nogil
    cdef int set_up(self) noexcept nogil
    cdef int map_ring(self, Ring *ring, uint32_t size, size_t entry, uint64_t place, xdp_ring_offset *at) noexcept nogil
    cdef uint32_t waiting(self) noexcept nogil
    cdef xdp_desc *frame_at(self, uint32_t index) noexcept nogil
    cdef void give_back(self, uint32_t count) noexcept nogil
    cdef int reclaim(self) noexcept nogil
    cdef void put(self, uint32_t index, uint64_t address, uint32_t length) noexcept nogil
    cdef void kick(self, uint32_t count) noexcept nogil
    cdef void leave_map(self) noexcept nogil
    cdef void let_go(self) noexcept nogil


cdef void unmap(Ring *ring) noexcept nogil
