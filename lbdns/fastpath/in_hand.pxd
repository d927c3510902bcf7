# What one UDP socket's reader has in hand (in_hand.pyx), as it lies in memory that outlives the process.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from lbdns.fastpath.system_calls cimport mmsghdr, sockaddr_in6

cdef enum:
    BATCH = 64
    IN_BYTES = 4096  # a longer datagram is no query that anybody sends: dropped and counted
    IN_STRIDE = 4224  # from one datagram to the next: not a page, as all of a batch would share a few lines of the nearest cache
    CONTROL_BYTES = 64
    UNKNOWN_QUEUES = 256  # of deferred datagrams that wait for the slow path, two for each network
    KNOWN_QUEUES = 64  # behind those: of networks that have shown themselves (known_networks.pyx)
    QUEUES = 320  # UNKNOWN_QUEUES + KNOWN_QUEUES
    QUEUE_BYTES = 16384  # of each, 100 to 150 queries; who has no room left is told to come over TCP, and counted
    WAITING_BYTES = 65536  # of all of a kind, some 400 queries: what comes later than a client waits for helps nobody
    SHARE = 4  # a queue may have this part of what all others of its kind leave
    LEAST_BYTES = 768  # and as much in any case
    VOTES_MAX = 64
    COUNT_BITS = 0x3FFFFFFF
    UNREAD = 0xFFFFFFFF  # the length of a message that holds no datagram, or one that is done with


cdef struct Waiting:  # a deferred datagram in its queue; `size` and `skipped` come first, as the least room has both
    uint32_t size  # of the whole, a multiple of 8
    uint32_t skipped  # 1: no datagram, but what was left up to the end of the queue's memory
    uint32_t length
    uint16_t peer_bytes
    uint16_t control_bytes
    uint32_t deaths  # of processes that had it in hand
    sockaddr_in6 peer
    # the control message follows, then the datagram


cdef struct Hand:  # all of it; lines of the cache that one thread writes are not the other's
    uint64_t mark  # of this layout
    int serving  # 1 + which message of the batch is being served, 0 for none; the fast path's
    uint8_t line[52]
    int heads[QUEUES]  # where what comes next goes in each queue; the fast path's
    int tails[QUEUES]  # where what is taken next lies; the slow path's
    int taken  # 1 + the queue whose first datagram is being answered, 0 for none; the slow path's
    uint8_t other_line[60]
    mmsghdr messages[BATCH]
    sockaddr_in6 peers[BATCH]
    uint8_t controls[BATCH * CONTROL_BYTES]
    uint8_t incoming[BATCH * IN_STRIDE]
    uint8_t queues[QUEUES * QUEUE_BYTES]


cdef class InHand:
    cdef Hand *hand
    cdef Waiting *current  # taken last
    cdef uint64_t most[QUEUES]  # the network that most of what came to a queue of late is from
    cdef int votes[QUEUES]
    cdef int head, tail  # bytes that were put into all queues, and taken
    cdef int kind_heads[2]  # and into those of each kind: of unknown networks, of known ones
    cdef int kind_tails[2]
    cdef int turns[2]  # the queue of each kind whose datagram was taken last
    cdef int taken_from  # whose datagram is the current one
    cdef readonly int left
    cdef readonly list left_out
    cdef unsigned char[::1] room
    cdef int waiting(self) noexcept nogil
    cdef void point(self, int index) noexcept nogil
    cdef bint put(self, uint64_t network, bint is_known, int index, uint32_t deaths) noexcept nogil
    cdef int filled(self, int queue) noexcept nogil
    cdef bint put_into(self, int queue, uint64_t network, int index, uint32_t deaths) noexcept nogil
    cdef int vote(self, int queue, uint64_t network) noexcept nogil
    cdef Waiting *take(self, bint is_known) noexcept nogil
    cdef void let_go(self) noexcept nogil
    cdef leave_out(self)
    cdef void copy(self, int source, int target) noexcept nogil
    cdef Waiting *first(self, int queue) noexcept nogil
    cdef Waiting *at_tail(self, int queue) noexcept nogil
    cdef void move_tail(self, int queue, uint32_t size) noexcept nogil
    cdef void check_queue(self, int queue) noexcept nogil
    cdef bint is_whole(self, int index) noexcept nogil
    cdef void gather(self) noexcept nogil


cdef int kind_of(int queue) noexcept nogil
cdef uint64_t network_of_peer(sockaddr_in6 *peer) noexcept nogil
cdef uint8_t *control_of(Waiting *waiting) noexcept nogil
cdef uint8_t *datagram_of(Waiting *waiting) noexcept nogil
cdef bint is_record(Waiting *waiting, int left, int to_end) noexcept nogil
cdef object shown(Waiting *waiting)
