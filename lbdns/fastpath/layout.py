"""The numbers of the fast path that are not the protocol's (dns/codes.py) or the snapshot's."""

from __future__ import annotations

from typing import Final

# What `serve` returns instead of a reply's length.
DROPPED: Final = 0
DEFERRED: Final = -1
TOO_LARGE: Final = -2  # between its own functions: what is required does not fit
PROCEED: Final = 1  # what a guard returns instead: the question may be read

DNAMES_MAX: Final = 4  # passed on the road to one answer; more are the slow path's
NAME_STEPS_MAX: Final = 256  # labels and pointers of a name in a reply
NO_TTL_MAX: Final = 0xFFFFFFFF  # for how long a negative answer holds
OUT_BYTES: Final = 2048  # room that a caller of `serve` must have for a reply
STREAM_LENGTH_BYTES: Final = 2  # before each message over TCP
NO_TEMPLATE: Final = 0xFFFFFFFF
# A template is one run of bytes: a head of 16-bit numbers, low octet first; relocations, two such numbers each (where a
# pointer stands in the body, how far from the end of the question's name it leads, biased); the body.
TEMPLATE_LENGTH: Final = 0  # of the body, in bytes
TEMPLATE_FLAGS: Final = 2  # AA, RCODE and TC (no datagram holds it) as in a header, and one of the two below
TEMPLATE_ANSWERS: Final = 4
TEMPLATE_AUTHORITIES: Final = 6
TEMPLATE_ADDITIONALS: Final = 8
TEMPLATE_RELOCATIONS: Final = 10
TEMPLATE_TTL: Final = 12  # where in the body the TTL of a negative answer's SOA, or of a DNAME to follow, stands; or 0
TEMPLATE_LEAST: Final = 14  # of the body, in bytes: what must be there; the rest gives way
TEMPLATE_OPTIONAL: Final = 16  # the records in that rest
TEMPLATE_SIGNED: Final = 18  # 32 bits: the template of the same answer with signatures; NO_TEMPLATE: there is none
TEMPLATE_HEAD_BYTES: Final = 22
SIGNED_BY_ROW: Final = 0xFFFFFFFE  # in place of one: this template, and the signatures over its one RRset behind it
RELOCATION_BYTES: Final = 4
RELOCATION_BIAS: Final = 0x4000  # targets inside the question's name lie before its end
# TEMPLATE_STEERS: a load balancer's records follow, whose owner is the pointer that the body ends with. Head:
TEMPLATE_STEERS: Final = 0x4000
STEERS_LOAD_BALANCER: Final = 22  # 32 bits
STEERS_NONE: Final = 26  # 32 bits: the template where it has no records
STEERS_ENTRY: Final = 30  # 32 bits: the name (a row) that it stands at, or the wildcard
STEERS_FAMILY: Final = 34
STEERS_HEAD_BYTES: Final = 36
TEMPLATE_LONG: Final = 0x2000  # a chain of so many names that beside others it may be cut short
TEMPLATE_CUT: Final = 0x1000  # what is optional was left out, as no datagram holds it
ANY_TEMPLATE: Final = 0  # the first of all: what ANY gets at a load balancer's name
# TEMPLATE_CHOICE: no template, but LENGTH pairs (type, template; 32 bits each) after the head, the last for the rest.
TEMPLATE_CHOICE: Final = 0x8000
CHOICE_BYTES: Final = 8

ASKED_POINTER: Final = 0xC00C  # to the question's name

# Sizes of pieces of messages.
EDE_BYTES: Final = 6
POINTER_BYTES: Final = 2
RECORD_TAIL_BYTES: Final = 10  # of a record between its owner and its data: type, class, TTL, length

# Bits of a header's third byte.
QR_BIT: Final = 0x80
OPCODE_BITS: Final = 0x78
OPCODE_SHIFT: Final = 3
AA_BIT: Final = 0x04
TC_BIT: Final = 0x02
POINTER_LABEL: Final = 0xC0  # the bits of a length octet that begins a compression pointer
