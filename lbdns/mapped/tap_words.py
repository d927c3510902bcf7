"""Where in a file of tapped messages (tap_ring.py) and in each record stands what: in octets, in words in the head.

A record is one exchange, as long as what it holds: a query, and its reply where it has one. It begins at a multiple of
8 and never wraps around: what is left of the ring where the next has no room before the end is a record of padding.
"""

from __future__ import annotations

from typing import Final

TAP_MAGIC: Final = 0x6C62646E73743101  # of this layout
TAP_HEAD_BYTES: Final = 4096

# The head, in words of 64 bits. Positions are octets since the file was made.
TAP_HEAD_MAGIC: Final = 0
TAP_HEAD_SIZE: Final = 1  # of the ring, in octets
TAP_HEAD_WRITTEN: Final = 2  # the writer's position
TAP_HEAD_LOST: Final = 3  # exchanges that had no room
TAP_HEAD_OWNER: Final = 4  # process id of the writer
TAP_HEAD_READ: Final = 64  # the reader's position; on a cache line of its own
TAP_HEAD_SENT: Final = 65  # exchanges that the reader took on
TAP_HEAD_BROKEN: Final = 66  # how often what it found made no sense

TAP_SIZE: Final = 0  # of the record, 4 octets, low one first as all numbers here
TAP_KIND: Final = 4
TAP_PADDING: Final = 0x50
TAP_EXCHANGE: Final = 0x45
TAP_VERSION: Final = 5  # of the addresses: 4, 6
TAP_TRANSPORT: Final = 6  # as samples have it
TAP_ZONE_BYTES: Final = 7  # 0 = no zone
TAP_QUERY_NS: Final = 8  # unix time, 8 octets
TAP_RESPONSE_NS: Final = 16
TAP_CLIENT: Final = 24  # an address in two words of 64 bits, IPv4 in the top 32 of the first
TAP_LOCAL: Final = 40  # zeros where it is not known
TAP_CLIENT_PORT: Final = 56  # 2 octets
TAP_LOCAL_PORT: Final = 58
TAP_QUERY_BYTES: Final = 60
TAP_REPLY_BYTES: Final = 62  # 0 = no reply
TAP_RECORD_HEAD: Final = 64  # then the zone's name, the query, the reply
TAP_ALIGNMENT: Final = 8

TAP_SALT: Final = 0x7461705F73616C74  # what is tapped does not hang together with what is answered
