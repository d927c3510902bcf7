# cython: language_level=3
"""What the reader of one UDP socket has in hand: datagrams that it has taken from the kernel and not yet answered.

It lies in memory that the supervisor holds too, so that the process which goes on for one that was killed answers it:

    recvmmsg -> the batch --(sendmmsg is over, the next recvmmsg begins)--> done with
                  `- deferred: a copy in a queue --(the slow path's reply is sent)--> done with

What is not known to be done with is answered again; a reply that comes twice harms nobody. The kernel writes the length
of a message after its datagram, so that a batch which was cut half way tells what it holds: a length other than UNREAD.
Each word has one writer; a word that says that something is there is written after it.

Networks that have shown themselves have queues of their own, with a room of their own and turns of their own, so that a
flood in names that nobody vouches for takes none of these. A network has two queues, and uses the first until that is full, or another's. It gets half of a queue as long as most of
what comes there is from it: a flood leaves room for whoever shares its queues. A queue may have a part of what all others of
its kind leave free, or a few queries: many floods make each other's queues shorter, and nobody waits for long.

Of what a process has under way when it dies, one datagram may be what killed it: the one that was being served, on the
fast path or on the slow one. From the fast path it goes to the slow one, which is another program; one that two
processes had under way when they died is left out.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from lbdns.fastpath.known_networks cimport network_number
from lbdns.fastpath.system_calls cimport (
    AF_INET,
    LBDNS_FENCE,
    LBDNS_LOAD,
    LBDNS_STORE,
    lbdns_turn_pktinfo,
    mmsghdr,
    msghdr,
    ntohl,
    ntohs,
    sockaddr_in,
    sockaddr_in6,
)

cdef enum:
    DEATHS_MAX = 2

cdef uint64_t MARK = (<uint64_t>2 << 32) | sizeof(Hand)  # raise the first number when the meaning changes


cdef int kind_of(int queue) noexcept nogil:
    """Return whose queue it is: 0 for those of unknown networks, 1 for those of known ones."""
    return queue >= UNKNOWN_QUEUES


cdef uint8_t *control_of(Waiting *waiting) noexcept nogil:
    """Return where its control message is."""
    return <uint8_t *>waiting + sizeof(Waiting)


cdef uint8_t *datagram_of(Waiting *waiting) noexcept nogil:
    """Return where its datagram is."""
    return control_of(waiting) + waiting.control_bytes


cdef bint is_record(Waiting *waiting, int left, int to_end) noexcept nogil:
    """Return whether there is a datagram, or what leads to one, in `left` bytes, `to_end` of them in one piece."""
    if waiting.size % 8 or not 8 <= waiting.size <= <uint32_t>min(left, to_end):
        return False
    if waiting.skipped:
        return waiting.size == <uint32_t>to_end and left > to_end
    return (
        sizeof(Waiting) <= waiting.size
        and waiting.length <= IN_BYTES
        and waiting.control_bytes <= CONTROL_BYTES
        and waiting.peer_bytes <= sizeof(sockaddr_in6)
        and sizeof(Waiting) + waiting.control_bytes + waiting.length <= waiting.size
    )


cdef object shown(Waiting *waiting):
    """Return (datagram, client's packed address, port)."""
    cdef sockaddr_in *four = <sockaddr_in *>&waiting.peer
    data = (<char *>datagram_of(waiting))[:waiting.length]
    if waiting.peer.sin6_family == AF_INET:
        return data, (<char *>&four.sin_addr)[:4], ntohs(four.sin_port)
    return data, (<char *>&waiting.peer.sin6_addr)[:16], ntohs(waiting.peer.sin6_port)


cdef class InHand:
    """The batch, whose first `left` messages an earlier process had not done with, and the queues of what is deferred.

    `left_out`: (datagram, client's packed address, port) of each that two processes died of. The fast path's thread
    reads into the batch and calls `put`; `take` and `let_go` are the slow path's.
    """

    def __cinit__(self, unsigned char[::1] room):
        """Go on with what is in `room`, of at least a Hand's size; zeros, or what another layout left, are nothing."""
        cdef int index, queue
        if room.shape[0] < <Py_ssize_t>sizeof(Hand):
            raise ValueError("too little room for queries in hand")
        self.room = room
        self.hand = <Hand *>&room[0]
        self.left_out = []
        self.taken_from = 0
        self.turns[0], self.turns[1] = 0, UNKNOWN_QUEUES
        if self.hand.mark != MARK:
            self.hand.mark = 0
            LBDNS_FENCE()
            memset(<uint8_t *>self.hand + sizeof(uint64_t), 0, sizeof(Hand) - sizeof(uint64_t))
            for index in range(BATCH):
                self.hand.messages[index].msg_len = UNREAD
            LBDNS_FENCE()
            self.hand.mark = MARK
        for queue in range(QUEUES):
            self.check_queue(queue)
        self.leave_out()
        self.gather()
        self.head = self.tail = 0
        self.kind_heads[0] = self.kind_heads[1] = self.kind_tails[0] = self.kind_tails[1] = 0
        for queue in range(QUEUES):
            self.kind_heads[kind_of(queue)] = (self.kind_heads[kind_of(queue)] + self.hand.heads[queue]) & COUNT_BITS
            self.kind_tails[kind_of(queue)] = (self.kind_tails[kind_of(queue)] + self.hand.tails[queue]) & COUNT_BITS
            self.head = (self.head + self.hand.heads[queue]) & COUNT_BITS
            self.tail = (self.tail + self.hand.tails[queue]) & COUNT_BITS

    @property
    def incoming(self):
        """The memory of the batch's datagrams, of IN_BYTES at most, IN_STRIDE apart."""
        cdef Py_ssize_t start = <uint8_t *>self.hand.incoming - <uint8_t *>self.hand
        return self.room[start:start + BATCH * IN_STRIDE]

    cdef int waiting(self) noexcept nogil:
        """Return how many datagrams wait for the slow path; for a time when nobody puts or takes any."""
        cdef int queue, at, count = 0
        cdef Waiting *waiting
        for queue in range(QUEUES):
            at = self.hand.tails[queue]
            while at != self.hand.heads[queue]:
                waiting = <Waiting *>&self.hand.queues[queue * QUEUE_BYTES + at % QUEUE_BYTES]
                at = (at + waiting.size) & COUNT_BITS
                count += not waiting.skipped
        return count

    cdef void check_queue(self, int queue) noexcept nogil:
        """Empty a queue that does not hold together: who wrote into it may have died of writing where it should not."""
        cdef int tail = self.hand.tails[queue] & COUNT_BITS, head = self.hand.heads[queue] & COUNT_BITS
        cdef int at = tail, left = (head - tail) & COUNT_BITS
        cdef bint is_sound = at % 8 == 0
        cdef Waiting *waiting
        while is_sound and left:
            waiting = <Waiting *>&self.hand.queues[queue * QUEUE_BYTES + at % QUEUE_BYTES]
            is_sound = left <= QUEUE_BYTES and is_record(waiting, left, QUEUE_BYTES - at % QUEUE_BYTES)
            if is_sound:
                at = (at + waiting.size) & COUNT_BITS
                left -= waiting.size
        if not is_sound:
            head = tail = 0
        self.hand.heads[queue], self.hand.tails[queue] = head, tail

    cdef leave_out(self):
        """Count a death for the datagram that the slow path had under way, and leave it out after the second."""
        cdef int queue = self.hand.taken - 1
        cdef Waiting *waiting
        LBDNS_STORE(&self.hand.taken, 0)
        if not 0 <= queue < QUEUES or self.hand.tails[queue] == self.hand.heads[queue]:
            return
        waiting = self.first(queue)
        waiting.deaths += 1
        if waiting.deaths >= DEATHS_MAX:
            self.left_out.append(shown(waiting))
            self.move_tail(queue, waiting.size)

    cdef void gather(self) noexcept nogil:
        """Bring what the batch still holds to its front, and give what the fast path had under way to the slow path."""
        cdef int index, other, suspect = self.hand.serving - 1
        for index in range(BATCH):
            if self.is_whole(index):
                self.point(index)
            else:
                self.hand.messages[index].msg_len = UNREAD
        if 0 <= suspect < BATCH and self.hand.messages[suspect].msg_len != UNREAD:
            if self.hand.messages[suspect].msg_hdr.msg_controllen:
                lbdns_turn_pktinfo(&self.hand.messages[suspect].msg_hdr)
            self.put(network_of_peer(&self.hand.peers[suspect]), False, suspect, 1)
            self.hand.messages[suspect].msg_len = UNREAD
        LBDNS_STORE(&self.hand.serving, 0)
        other = BATCH - 1
        for index in range(BATCH):
            while other > index and self.hand.messages[other].msg_len == UNREAD:
                other -= 1
            if self.hand.messages[index].msg_len == UNREAD and other > index:
                self.copy(other, index)
            if self.hand.messages[index].msg_len != UNREAD:
                self.left = index + 1

    cdef void copy(self, int source, int target) noexcept nogil:
        """Move a message of the batch to where none is."""
        cdef mmsghdr *message = &self.hand.messages[source]
        cdef mmsghdr *free = &self.hand.messages[target]
        memcpy(&self.hand.incoming[target * IN_STRIDE], &self.hand.incoming[source * IN_STRIDE], message.msg_len)
        memcpy(&self.hand.controls[target * CONTROL_BYTES], &self.hand.controls[source * CONTROL_BYTES], CONTROL_BYTES)
        memcpy(&self.hand.peers[target], &self.hand.peers[source], sizeof(sockaddr_in6))
        free.msg_hdr = message.msg_hdr
        self.point(target)
        LBDNS_STORE(<int *>&free.msg_len, <int>message.msg_len)
        LBDNS_STORE(<int *>&message.msg_len, <int>UNREAD)

    cdef bint is_whole(self, int index) noexcept nogil:
        """Return whether a message of the batch holds a datagram."""
        cdef mmsghdr *message = &self.hand.messages[index]
        return (message.msg_len <= IN_BYTES and message.msg_hdr.msg_namelen <= sizeof(sockaddr_in6)
                and message.msg_hdr.msg_controllen <= CONTROL_BYTES)

    cdef void point(self, int index) noexcept nogil:
        """Have a message's addresses be those of this process."""
        cdef msghdr *header = &self.hand.messages[index].msg_hdr
        header.msg_iov = NULL
        header.msg_iovlen = 0
        header.msg_name = &self.hand.peers[index]
        header.msg_control = &self.hand.controls[index * CONTROL_BYTES] if header.msg_controllen else NULL

    cdef bint put(self, uint64_t network, bint is_known, int index, uint32_t deaths) noexcept nogil:
        """Put a copy of a message of the batch into a queue of its network; return whether there was room."""
        cdef int base = UNKNOWN_QUEUES if is_known else 0, count = KNOWN_QUEUES if is_known else UNKNOWN_QUEUES
        cdef int first = base + network % count, second = base + (network >> 32) % count
        if self.most[first] != network and self.filled(first) > self.filled(second):
            first, second = second, first
        return self.put_into(first, network, index, deaths) or self.put_into(second, network, index, deaths)

    cdef int filled(self, int queue) noexcept nogil:
        """Return how many bytes of a queue are taken."""
        return (self.hand.heads[queue] - LBDNS_LOAD(&self.hand.tails[queue])) & COUNT_BITS

    cdef int vote(self, int queue, uint64_t network) noexcept nogil:
        """Return how many bytes of a queue a network may fill, which has sent something to it once more."""
        cdef int free, room, kind = kind_of(queue)
        if self.most[queue] == network:
            self.votes[queue] = min(self.votes[queue] + 1, VOTES_MAX)
        elif self.votes[queue] > 0:
            self.votes[queue] -= 1
        else:
            self.most[queue], self.votes[queue] = network, 1
        free = WAITING_BYTES - ((self.kind_heads[kind] - LBDNS_LOAD(&self.kind_tails[kind])) & COUNT_BITS)
        room = min(max(free // SHARE, LEAST_BYTES), QUEUE_BYTES)
        return room // 2 if self.most[queue] == network else room

    cdef bint put_into(self, int queue, uint64_t network, int index, uint32_t deaths) noexcept nogil:
        cdef mmsghdr *message = &self.hand.messages[index]
        cdef int head = self.hand.heads[queue], at = head % QUEUE_BYTES, skip = 0, room = self.vote(queue, network)
        cdef uint32_t size
        cdef Waiting *waiting
        size = (sizeof(Waiting) + message.msg_hdr.msg_controllen + message.msg_len + 7) & ~7
        if size > <uint32_t>(QUEUE_BYTES - at):
            skip = QUEUE_BYTES - at
        if self.filled(queue) + skip + size > room:
            return False
        waiting = <Waiting *>&self.hand.queues[queue * QUEUE_BYTES + at]
        if skip:
            waiting.size = skip
            waiting.skipped = 1
            waiting = <Waiting *>&self.hand.queues[queue * QUEUE_BYTES]
        waiting.size = size
        waiting.skipped = 0
        waiting.length = message.msg_len
        waiting.peer_bytes = message.msg_hdr.msg_namelen
        waiting.control_bytes = message.msg_hdr.msg_controllen
        waiting.deaths = deaths
        memcpy(&waiting.peer, &self.hand.peers[index], sizeof(sockaddr_in6))
        memcpy(control_of(waiting), &self.hand.controls[index * CONTROL_BYTES], waiting.control_bytes)
        memcpy(datagram_of(waiting), &self.hand.incoming[index * IN_STRIDE], waiting.length)
        LBDNS_STORE(&self.hand.heads[queue], (head + skip + size) & COUNT_BITS)
        self.kind_heads[kind_of(queue)] = (self.kind_heads[kind_of(queue)] + skip + size) & COUNT_BITS
        LBDNS_STORE(&self.head, (self.head + skip + size) & COUNT_BITS)
        return True

    cdef Waiting *first(self, int queue) noexcept nogil:
        """Return the first datagram of a queue that is not empty."""
        cdef Waiting *waiting = self.at_tail(queue)
        if waiting.skipped:
            self.move_tail(queue, waiting.size)
            waiting = self.at_tail(queue)
        return waiting

    cdef Waiting *at_tail(self, int queue) noexcept nogil:
        return <Waiting *>&self.hand.queues[queue * QUEUE_BYTES + self.hand.tails[queue] % QUEUE_BYTES]

    cdef void move_tail(self, int queue, uint32_t size) noexcept nogil:
        LBDNS_STORE(&self.hand.tails[queue], (self.hand.tails[queue] + size) & COUNT_BITS)
        LBDNS_STORE(&self.kind_tails[kind_of(queue)], (self.kind_tails[kind_of(queue)] + size) & COUNT_BITS)
        LBDNS_STORE(&self.tail, (self.tail + size) & COUNT_BITS)

    cdef Waiting *take(self, bint is_known) noexcept nogil:
        """Return the next deferred datagram of known networks, or of unknown ones, or NULL. Queues have turns."""
        cdef int base = UNKNOWN_QUEUES if is_known else 0, count = KNOWN_QUEUES if is_known else UNKNOWN_QUEUES
        cdef int step, queue
        LBDNS_FENCE()
        for step in range(1, count + 1):
            queue = base + (self.turns[is_known] - base + step) % count
            if self.hand.tails[queue] != LBDNS_LOAD(&self.hand.heads[queue]):
                self.turns[is_known] = self.taken_from = queue
                self.current = self.first(queue)
                LBDNS_STORE(&self.hand.taken, queue + 1)
                return self.current
        return NULL

    cdef void let_go(self) noexcept nogil:
        """Be done with the datagram that was taken last."""
        LBDNS_STORE(&self.hand.taken, 0)
        self.move_tail(self.taken_from, self.current.size)


cdef uint64_t network_of_peer(sockaddr_in6 *peer) noexcept nogil:
    cdef uint64_t high = 0
    cdef int octet
    if peer.sin6_family == AF_INET:
        return network_number(<uint64_t>ntohl((<sockaddr_in *>peer).sin_addr.s_addr) << 32, 4)
    for octet in range(8):
        high = (high << 8) | peer.sin6_addr.s6_addr[octet]
    return network_number(high, 6)
