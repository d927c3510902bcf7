"""The numbers that name columns and look-ups are written in. One place, no logic.

Compiled modules have them as constants of C (setup.py says how).
"""

from __future__ import annotations

from typing import Final

NO_NAME: Final = 0xFFFFFFFF
NO_ROW: Final = 0xFFFFFFFF

# The hash of names: FNV-1a, 64 bits.
FNV_OFFSET: Final = 0xCBF29CE484222325
FNV_PRIME: Final = 0x100000001B3

# The "zones" of the name table under which zone apexes stand: the public view's, and of view v LAST_DIRECTORY - v: what
# differs from the public one, NO_NAME for a zone that is not there. Zone z has its names under z + 1.
DIRECTORY: Final = 0
LAST_DIRECTORY: Final = 0xFFFFFFFF
LABELS_MAX: Final = 128

# What a look-up comes to (look_up.py).
NO_KIND: Final = -1  # nothing was looked up
KIND_OUT_OF_ZONE: Final = 0
KIND_REFERRAL: Final = 1
KIND_STEERED: Final = 2
KIND_HIT: Final = 3
KIND_CNAME: Final = 4
KIND_DNAME: Final = 5
KIND_NODATA: Final = 6
KIND_NXDOMAIN: Final = 7
KIND_UNREADY: Final = 8
KIND_NAMES: Final = ("out of zone", "referral", "steered", "hit", "cname", "dname", "nodata", "nxdomain", "unready")

NAME_CUT: Final = 1
NAME_OCCLUDED: Final = 2  # below a cut; the row's link leads to it
NAME_DNAME: Final = 4
NAME_CNAME: Final = 8
NAME_UNREADY: Final = 16  # the apex, and only name, of a zone that is not ready to be served

# A name's row: where each field stands. ROW_RRSETS holds the number of RRsets, and flags from FLAGS_SHIFT on.
NAME_ROW: Final = 8
ROW_OFFSET: Final = 0
ROW_ZONE: Final = 1
ROW_LINK: Final = 2  # of an occluded name its cut, of the directory's the zone, of all others the wildcard child
ROW_FIRST_RRSET: Final = 3
ROW_RRSETS: Final = 4
ROW_LOAD_BALANCER: Final = 5
RRSETS_MASK: Final = 0xFFFF
FLAGS_SHIFT: Final = 16

# What says that something is not there in a zone (column zone_signed): nothing that is signed, the chain of its NSEC or
# NSEC3 records (RFC 4034, RFC 5155), or an NSEC record at the asked name (RFC 9824), with the chain of NSEC behind it.
DENIAL_UNSIGNED: Final = 0
DENIAL_NSEC: Final = 1
DENIAL_NSEC3: Final = 2
DENIAL_COMPACT: Final = 3
NSEC3_HASH_BYTES: Final = 20  # of SHA-1, the one hash that there is

# What a transfer of a zone has of its load balancers (column zone_transfer): there are none, what each answers at this
# PoP is there as records, or nothing of them, so that it cannot be transferred as a whole.
TRANSFER_PLAIN: Final = 0
TRANSFER_FLAT: Final = 1
TRANSFER_STEERED: Final = 2

# Names as bytes that compare in canonical order (dns/canonical.py): in the blob behind their length, low octet first;
# the octets 0 and 1 stand there as 1 and the one above.
ORDER_HEAD_BYTES: Final = 2
ORDER_ESCAPE: Final = 1

# What somebody may ask for beside what everybody may: it goes to the slow path. All else is answered at once, NOTIFY
# and UPDATE with NOTIMP, transfers with REFUSED.
HEARS_TRANSFER: Final = 1
HEARS_NOTIFY: Final = 2
HEARS_UPDATE: Final = 4
