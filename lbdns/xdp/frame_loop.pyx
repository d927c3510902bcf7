# cython: language_level=3
"""The rounds of a thread over one queue of a network card.

    frames that wait --(broken: dropped)--> datagrams -> rounds (fastpath/rounds.pyx) -> frames of replies -> sent
                                                  deferred: the frame's head goes along '<- outbox <- the slow path's

The queue's socket is given while the thread runs (`give`), and may be had only when a process before has let go of it:
until then the thread looks again and again, and the kernel's sockets get the queries. `run` ends with nothing waiting:
the queue is taken out of the filter's map first. What is in the rings when the process is killed is lost, as what lies
in a card's own rings is; what it had deferred is not (in_hand.pyx).

Where frames come fast, the thread naps between two batches (naps.py).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from lbdns.fastpath.in_hand cimport BATCH, CONTROL_BYTES, IN_STRIDE, UNREAD
from lbdns.fastpath.known_networks cimport KnownNetworks
from lbdns.fastpath.read cimport Server
from lbdns.fastpath.rounds cimport Rounds, clock_ns
from lbdns.fastpath.sampling cimport Sampler
from lbdns.fastpath.system_calls cimport (
    AF_INET,
    AF_INET6,
    CLOCK_MONOTONIC,
    EFD_CLOEXEC,
    EFD_NONBLOCK,
    LBDNS_LOAD,
    LBDNS_STORE,
    c_close,
    c_write,
    eventfd,
    ntohl,
    ntohs,
    sockaddr_in,
    sockaddr_in6,
)
from lbdns.mapped.counter_words cimport *
from lbdns.mapped.counters cimport Counters
from lbdns.mapped.tap_ring cimport Tap
from lbdns.xdp.datagram_frames cimport HEAD4_BYTES, HEAD6_BYTES, UDP_BYTES, data_bytes, head_of, turn_head
from lbdns.xdp.nap_words cimport NAP_NS
from lbdns.xdp.naps cimport Naps, count_napped, find_pace, is_nap_due, is_pace_due
from lbdns.xdp.rings cimport CHUNK_BYTES, FRAMES_BYTES, OUT_FRAMES, Rings
from lbdns.xdp.xsk_calls cimport lbdns_fetch_frame, lbdns_nap, lbdns_wait, lbdns_wake_in_time, xdp_desc

cdef enum:
    OUTBOX_SLOTS = 128
    SLOT_BYTES = 2048
    WAIT_MS = 250
    RETRY_MS = 20
    FULL_WAIT_MS = 1
    LAST_WAIT_MS = 2  # for frames that were under way when the queue left the filter's map


cdef class FrameLoop(Rounds):
    """The fast path of one queue. `room`, `room_bytes` of memory, holds what is deferred and not yet answered; what an
    earlier process left there is answered. What `known` networks have deferred waits apart from all other."""

    cdef readonly Rings rings
    cdef int count, batch, is_leaving, is_over
    cdef uint16_t number
    cdef Naps naps
    cdef int heads[BATCH]  # of the frames of a batch, 0 for one that is broken
    cdef uint8_t used[BATCH]  # whether a datagram has a reply
    cdef int outbox_event
    cdef int outbox_head, outbox_tail  # the slow path's, this thread's
    cdef int outbox_lengths[OUTBOX_SLOTS]
    cdef uint8_t outbox[OUTBOX_SLOTS * SLOT_BYTES]

    def __cinit__(self, Counters counters, seed, room, KnownNetworks known=None, Sampler sampler=None, Tap tap=None):
        cdef int index
        self.outbox_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        self.prepare(counters, seed, room, known, sampler, tap)
        if self.outbox_event < 0:
            raise MemoryError("no memory for XDP")
        # A batch that another process had, and that was cut off, lies in frames that are gone.
        self.in_hand.left = 0
        for index in range(BATCH):
            self.hand.messages[index].msg_len = UNREAD
        self.rings = Rings()
        self.naps = Naps()
        self.incoming = <unsigned char[:FRAMES_BYTES]>self.rings.frames
        self.outgoing = <unsigned char[:FRAMES_BYTES]>self.rings.frames

    def __dealloc__(self):
        if self.outbox_event >= 0:
            c_close(self.outbox_event)

    def close(self):
        """Let go of the queue, once `run` has ended."""
        self.rings.close()

    def run(self):
        """Serve until `stop`."""
        lbdns_wake_in_time()
        Rounds.run(self)
        LBDNS_STORE(&self.is_over, 1)

    cdef int receive(self, bint stopping) noexcept nogil:
        cdef int got
        if not self.rings.is_bound() and not self.rings.begin():
            if not stopping:
                lbdns_wait(-1, -1, RETRY_MS)
            return 0
        if stopping and not self.is_leaving:
            self.is_leaving = 1
            self.rings.leave_map()
            lbdns_wait(-1, -1, LAST_WAIT_MS)
        if LBDNS_LOAD(&self.outbox_head) != self.outbox_tail:
            self.empty_outbox()
        got = self.rings.waiting()
        if is_nap_due(self.naps, got) and not stopping:
            lbdns_nap(NAP_NS)
            got = self.rings.waiting()
            count_napped(self.naps, got)
        if got == 0 and not stopping:
            self.rings.kick(0)
            lbdns_wait(self.rings.fd, self.outbox_event, WAIT_MS)
            self.empty_outbox()
            got = self.rings.waiting()
        return self.take_batch(min(got, BATCH))

    cdef int take_batch(self, int got) noexcept nogil:
        """Find the datagrams of a batch, each with a free frame for its reply; return how many there are."""
        cdef int index, head
        cdef xdp_desc *found
        if got == 0:
            return 0
        if self.rings.reclaim() < got:
            self.rings.kick(0)
            got = min(got, self.rings.reclaim())
            if got == 0:  # the interface is down, say
                lbdns_wait(-1, -1, FULL_WAIT_MS)
        for index in range(got):
            lbdns_fetch_frame(self.rings.frames + self.rings.frame_at(index).addr)
        for index in range(got):
            found = self.rings.frame_at(index)
            head = head_of(self.rings.frames + found.addr, found.len)
            self.heads[index] = head
            self.starts[index] = found.addr + head
            self.lengths[index] = data_bytes(self.rings.frames + found.addr, head) if head else 0
            self.bases[index] = self.rings.free_frames[self.rings.free_count - 1 - index] + head
            self.used[index] = 0
        self.batch = got
        if is_pace_due(self.naps, got):
            find_pace(self.naps, clock_ns(CLOCK_MONOTONIC))
        return got

    cdef bint set_client(self, Server server, int index) noexcept nogil:
        """Put the client's address into the query; False for a broken frame, and for source port 0, which nobody can be
        answered at."""
        cdef const uint8_t *frame = self.rings.frames + self.starts[index] - self.heads[index]
        cdef int octet
        cdef uint64_t high = 0, low = 0
        if self.heads[index] == 0:
            return False
        server.client_port = port_at(frame + self.heads[index] - UDP_BYTES)
        if server.client_port == 0:
            return False
        if self.heads[index] == HEAD4_BYTES:
            for octet in range(4):
                high = (high << 8) | frame[26 + octet]
            server.query.resolver_version = 4
            server.query.resolver_high = high << 32
            server.query.resolver_low = 0
            return True
        for octet in range(8):
            high = (high << 8) | frame[22 + octet]
            low = (low << 8) | frame[30 + octet]
        server.query.resolver_version = 6
        server.query.resolver_high = high
        server.query.resolver_low = low
        return True

    cdef void set_tapped(self, int index) noexcept nogil:
        cdef const uint8_t *frame = self.rings.frames + self.starts[index] - self.heads[index]
        cdef int octet
        cdef uint64_t high = 0, low = 0
        if self.heads[index] == HEAD4_BYTES:
            for octet in range(4):
                high = (high << 8) | frame[30 + octet]
            high <<= 32
        else:
            for octet in range(8):
                high = (high << 8) | frame[38 + octet]
                low = (low << 8) | frame[46 + octet]
        self.tap.local_high, self.tap.local_low = high, low
        self.tap.local_port = port_at(frame + self.heads[index] - UDP_BYTES + 2)

    cdef void add_reply(self, int index, int size) noexcept nogil:
        cdef int head = self.heads[index], base = self.bases[index] - head
        cdef int length = turn_head(
            self.rings.frames + base, self.rings.frames + self.starts[index] - head, head, size, self.number
        )
        self.number += 1
        self.rings.put(self.count, base, length)
        self.used[index] = 1
        self.count += 1

    cdef void send(self) noexcept nogil:
        """Send the replies of a batch, and give its frames back."""
        cdef int index
        self.rings.free_count -= self.batch
        for index in range(self.batch - 1, -1, -1):
            if not self.used[index]:
                self.rings.free_frames[self.rings.free_count] = self.bases[index] - self.heads[index]
                self.rings.free_count += 1
        self.rings.give_back(self.batch)
        if self.count:
            self.rings.kick(self.count)
        self.count = self.batch = 0

    cdef void show(self, int index) noexcept nogil:
        """Have a datagram that is to be deferred stand in `hand`, with its frame's head in place of a control message."""
        cdef int head = self.heads[index]
        cdef const uint8_t *frame = self.rings.frames + self.starts[index] - head
        cdef sockaddr_in6 *peer = &self.hand.peers[index]
        memset(peer, 0, sizeof(sockaddr_in6))
        memcpy(&peer.sin6_port, frame + head - UDP_BYTES, 2)
        if head == HEAD4_BYTES:
            peer.sin6_family = AF_INET
            memcpy(&(<sockaddr_in *>peer).sin_addr, frame + 26, 4)
            self.hand.messages[index].msg_hdr.msg_namelen = sizeof(sockaddr_in)
        else:
            peer.sin6_family = AF_INET6
            memcpy(&peer.sin6_addr, frame + 22, 16)
            self.hand.messages[index].msg_hdr.msg_namelen = sizeof(sockaddr_in6)
        memcpy(&self.hand.controls[index * CONTROL_BYTES], frame, head)
        self.hand.messages[index].msg_hdr.msg_controllen = head
        memcpy(&self.hand.incoming[index * IN_STRIDE], frame + head, self.lengths[index])
        self.hand.messages[index].msg_len = self.lengths[index]

    cdef bint defer(self, Server server, int index) noexcept nogil:
        cdef bint has_room = Rounds.defer(self, server, index)
        self.hand.messages[index].msg_len = UNREAD  # it is in a queue, or answered with this batch
        return has_room

    cdef send_later(self, bytes peer, bytes control, bytes data):
        """Have the thread send a reply of the slow path, or send it here once that has ended."""
        cdef int head = len(control), slot = self.outbox_head % OUTBOX_SLOTS
        cdef uint64_t one = 1
        cdef uint8_t *place = &self.outbox[slot * SLOT_BYTES]
        cdef const uint8_t *query = control
        if (
            head not in (HEAD4_BYTES, HEAD6_BYTES)
            or head + len(data) > SLOT_BYTES
            or self.outbox_head - LBDNS_LOAD(&self.outbox_tail) >= OUTBOX_SLOTS
        ):
            self.counters.words[SEND_ERRORS] += 1
            return
        memcpy(place + head, <const uint8_t *>data, len(data))
        self.outbox_lengths[slot] = turn_head(place, query, head, len(data), self.outbox_head & 0xFFFF)
        LBDNS_STORE(&self.outbox_head, self.outbox_head + 1)
        if LBDNS_LOAD(&self.is_over):
            self.empty_outbox()
        else:
            c_write(self.outbox_event, &one, sizeof(uint64_t))

    cdef void empty_outbox(self) noexcept nogil:
        """Send what the slow path has answered, as far as there are frames for it."""
        cdef int count = 0, slot, head = LBDNS_LOAD(&self.outbox_head)
        cdef uint32_t frame
        if head == self.outbox_tail or not self.rings.is_bound():
            return
        self.rings.reclaim()
        while self.outbox_tail + count != head and self.rings.free_count:
            slot = (self.outbox_tail + count) % OUTBOX_SLOTS
            self.rings.free_count -= 1
            frame = self.rings.free_frames[self.rings.free_count]
            memcpy(self.rings.frames + frame, &self.outbox[slot * SLOT_BYTES], self.outbox_lengths[slot])
            self.rings.put(count, frame, self.outbox_lengths[slot])
            count += 1
        LBDNS_STORE(&self.outbox_tail, self.outbox_tail + count)
        if count:
            self.rings.kick(count)


cdef int port_at(const uint8_t *octets) noexcept nogil:
    return octets[0] << 8 | octets[1]
