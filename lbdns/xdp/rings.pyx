# cython: language_level=3
"""The rings of a queue's AF_XDP socket, and the memory of its frames.

    fill --(the kernel puts a frame in)--> received --read--> fill
    free frame --written--> sent --(the kernel has sent it)--> completed --> free frame

Frames for what comes go round by themselves, those for replies by themselves: a reply is written beside its query, as
it is from a socket. A socket can be set up by one process alone, once, and is the queue's until all that is mapped of
it is let go of; that takes the kernel a moment, so that the next one tries again. While a queue has no socket in the
filter's map, its frames go to the kernel: nothing is lost between two.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from lbdns.fastpath.system_calls cimport c_close
from lbdns.xdp.xsk_calls cimport (
    EAGAIN,
    EBUSY,
    ENOBUFS,
    ENOMEM,
    LBDNS_LOAD_WORD,
    LBDNS_STORE_WORD,
    XDP_MAX_TX_SKB_BUDGET,
    XDP_PGOFF_RX_RING,
    XDP_PGOFF_TX_RING,
    XDP_RX_RING,
    XDP_TX_RING,
    XDP_UMEM_COMPLETION_RING,
    XDP_UMEM_FILL_RING,
    XDP_UMEM_PGOFF_COMPLETION_RING,
    XDP_UMEM_PGOFF_FILL_RING,
    lbdns_bind_xsk,
    lbdns_enter_map,
    lbdns_frames,
    lbdns_kick,
    lbdns_losses,
    lbdns_offsets,
    lbdns_register,
    lbdns_ring,
    lbdns_set_number,
    munmap,
    xdp_desc,
    xdp_mmap_offsets,
    xdp_ring_offset,
    xdp_statistics,
)

cdef enum:
    KICKS_MAX = 256  # for one batch: the kernel may send a part of it each time
    AT_ONCE = 32  # frames: that part, where nothing else is asked for
    # Steps of the set-up.
    NO_SOCKET = 0
    GIVEN = 1
    REGISTERED = 2
    SIZED = 3
    MAPPED = 4
    BOUND = 5
    IN_MAP = 6


cdef class Rings:
    """One queue's. It is set up in the thread that reads it, once its socket was given."""

    def __cinit__(self):
        cdef int index
        self.fd = self.sockets_map = -1
        self.at_once = AT_ONCE
        self.frames = lbdns_frames(FRAMES_BYTES)
        if self.frames == NULL:
            raise MemoryError("no memory for the frames of XDP")
        for index in range(OUT_FRAMES):
            self.free_frames[index] = OUT_START + index * OUT_FRAME_BYTES
        self.free_count = OUT_FRAMES

    def __dealloc__(self):
        self.let_go()
        if self.frames != NULL:
            munmap(self.frames, FRAMES_BYTES)

    def give(self, int fd, int sockets_map, int interface, int queue, bint copies):
        """Take descriptors over: of an AF_XDP socket that nothing is set of, and of the filter's map of sockets, for a
        queue of an interface; `copies`: the kernel is to copy frames. Called once, from any thread."""
        self.fd, self.sockets_map = fd, sockets_map
        self.interface, self.queue, self.copies = interface, queue, copies
        LBDNS_STORE_WORD(<uint32_t *>&self.step, GIVEN)

    @property
    def is_serving(self):
        """Whether frames come."""
        return self.is_bound()

    @property
    def losses(self):
        """How many frames the kernel had no room for."""
        cdef xdp_statistics found
        if not self.is_bound() or lbdns_losses(self.fd, &found):
            return 0
        return found.rx_dropped + found.rx_ring_full

    def close(self):
        """Let go of all; nobody reads it any more."""
        self.let_go()

    cdef bint is_bound(self) noexcept nogil:
        return LBDNS_LOAD_WORD(<uint32_t *>&self.step) == IN_MAP

    cdef bint begin(self) noexcept nogil:
        """Go on with the set-up as far as it goes now; return whether it is done."""
        if LBDNS_LOAD_WORD(<uint32_t *>&self.step) != NO_SOCKET:
            self.failure = self.set_up()
        return self.is_bound()

    cdef int set_up(self) noexcept nogil:
        cdef int failure
        cdef uint32_t index
        cdef xdp_mmap_offsets offsets
        if self.step == GIVEN:
            failure = lbdns_register(self.fd, self.frames, FRAMES_BYTES, CHUNK_BYTES)
            if failure:
                return failure
            self.step = REGISTERED
        if self.step == REGISTERED:
            failure = (
                lbdns_set_number(self.fd, XDP_UMEM_FILL_RING, IN_FRAMES)
                or lbdns_set_number(self.fd, XDP_UMEM_COMPLETION_RING, OUT_FRAMES)
                or lbdns_set_number(self.fd, XDP_RX_RING, IN_FRAMES)
                or lbdns_set_number(self.fd, XDP_TX_RING, OUT_FRAMES)
            )
            if failure:
                return failure
            # Older kernels do not know it.
            if not lbdns_set_number(self.fd, XDP_MAX_TX_SKB_BUDGET, OUT_FRAMES):
                self.at_once = OUT_FRAMES
            self.step = SIZED
        if self.step == SIZED:
            failure = (
                lbdns_offsets(self.fd, &offsets)
                or self.map_ring(&self.received, IN_FRAMES, sizeof(xdp_desc), XDP_PGOFF_RX_RING, &offsets.rx)
                or self.map_ring(&self.sent, OUT_FRAMES, sizeof(xdp_desc), XDP_PGOFF_TX_RING, &offsets.tx)
                or self.map_ring(&self.fill, IN_FRAMES, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING, &offsets.fr)
                or self.map_ring(
                    &self.completed, OUT_FRAMES, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr
                )
            )
            if failure:
                return failure
            for index in range(IN_FRAMES):
                (<uint64_t *>self.fill.entries)[index] = <uint64_t>index * CHUNK_BYTES
            LBDNS_STORE_WORD(self.fill.producer, IN_FRAMES)
            self.step = MAPPED
        if self.step == MAPPED:
            failure = lbdns_bind_xsk(self.fd, self.interface, self.queue, self.copies)
            if failure:
                return failure
            self.step = BOUND
        if self.step == BOUND:
            failure = lbdns_enter_map(self.sockets_map, self.queue, self.fd)
            if failure:
                return failure
            LBDNS_STORE_WORD(<uint32_t *>&self.step, IN_MAP)
        return 0

    cdef int map_ring(self, Ring *ring, uint32_t size, size_t entry, uint64_t place, xdp_ring_offset *at) noexcept nogil:
        if ring.place != NULL:
            return 0
        ring.place_bytes = at.desc + size * entry
        ring.place = lbdns_ring(self.fd, ring.place_bytes, place)
        if ring.place == NULL:
            return ENOMEM
        ring.size = size
        ring.producer = <uint32_t *>(ring.place + at.producer)
        ring.consumer = <uint32_t *>(ring.place + at.consumer)
        ring.flags = <uint32_t *>(ring.place + at.flags)
        ring.entries = ring.place + at.desc
        return 0

    cdef uint32_t waiting(self) noexcept nogil:
        """Return how many frames have come and were not given back."""
        return LBDNS_LOAD_WORD(self.received.producer) - self.received.consumer[0]

    cdef xdp_desc *frame_at(self, uint32_t index) noexcept nogil:
        """Return the frame that waits behind `index` others."""
        cdef uint32_t at = (self.received.consumer[0] + index) & (IN_FRAMES - 1)
        return &(<xdp_desc *>self.received.entries)[at]

    cdef void give_back(self, uint32_t count) noexcept nogil:
        """Have the kernel use the first frames that wait for what comes next; there is room for all in its ring."""
        cdef uint32_t index, at = self.fill.producer[0]
        for index in range(count):
            (<uint64_t *>self.fill.entries)[(at + index) & (IN_FRAMES - 1)] = (
                self.frame_at(index).addr & ~<uint64_t>(CHUNK_BYTES - 1)
            )
        LBDNS_STORE_WORD(self.received.consumer, self.received.consumer[0] + count)
        LBDNS_STORE_WORD(self.fill.producer, at + count)

    cdef int reclaim(self) noexcept nogil:
        """Take back the frames that were sent; return how many are free."""
        cdef uint32_t at = self.completed.consumer[0], end = LBDNS_LOAD_WORD(self.completed.producer)
        while at != end:
            self.free_frames[self.free_count] = <uint32_t>(<uint64_t *>self.completed.entries)[at & (OUT_FRAMES - 1)]
            self.free_count += 1
            at += 1
        LBDNS_STORE_WORD(self.completed.consumer, at)
        return self.free_count

    cdef void put(self, uint32_t index, uint64_t address, uint32_t length) noexcept nogil:
        """Have the reply that is sent behind `index` others be a frame; `kick` sends it."""
        cdef xdp_desc *reply = &(<xdp_desc *>self.sent.entries)[(self.sent.producer[0] + index) & (OUT_FRAMES - 1)]
        reply.addr, reply.len, reply.options = address, length, 0

    cdef void kick(self, uint32_t count) noexcept nogil:
        """Send so many replies that were put. What the kernel does not take, as the interface is down, say, stands in its
        ring for the next time."""
        cdef uint32_t end = self.sent.producer[0] + count
        cdef int attempt, failure
        LBDNS_STORE_WORD(self.sent.producer, end)
        for attempt in range(KICKS_MAX):
            if LBDNS_LOAD_WORD(self.sent.consumer) == end:
                return
            failure = lbdns_kick(self.fd)
            if failure and failure not in (EAGAIN, EBUSY, ENOBUFS):
                return

    cdef void leave_map(self) noexcept nogil:
        """Have the kernel take what comes from now on."""
        if self.step == IN_MAP:
            lbdns_enter_map(self.sockets_map, self.queue, -1)

    cdef void let_go(self) noexcept nogil:
        self.leave_map()
        self.step = NO_SOCKET
        unmap(&self.received)
        unmap(&self.fill)
        unmap(&self.sent)
        unmap(&self.completed)
        if self.fd >= 0:
            c_close(self.fd)
            c_close(self.sockets_map)
            self.fd = self.sockets_map = -1


cdef void unmap(Ring *ring) noexcept nogil:
    """Let go of a ring that may be mapped."""
    if ring.place != NULL:
        munmap(ring.place, ring.place_bytes)
        memset(ring, 0, sizeof(Ring))
