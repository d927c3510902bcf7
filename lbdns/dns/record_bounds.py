"""Every bound of records and zones, each declared once (RFC 2181 for TTLs, the v4 API for comments and tags)."""

from __future__ import annotations

from typing import Final

MAX_RECORDS_PER_RRSET: Final = 100
MAX_TYPES_PER_NAME: Final = 100
MAX_NS_PER_DELEGATION: Final = 20
MAX_UPDATED_ZONE_RECORDS: Final = 250_000
"""To how many a dynamic update may make a zone grow: what a request of the API may say of one."""
MAX_TTL_S: Final = 2**31 - 1
"""RFC 2181 section 8."""
MAX_PRIORITY: Final = 65_535
MAX_COMMENT_CHARS: Final = 500
MAX_TAGS: Final = 20
MAX_TAG_CHARS: Final = 133
"""A name of at most 32 characters, a colon, a value of at most 100."""
MAX_CONTENT_CHARS: Final = 300_000
"""65,535 octets, each written as \\DDD, and quotes."""
