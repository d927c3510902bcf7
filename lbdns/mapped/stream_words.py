"""The word of a responder's event loop that tells of the fast path over TCP, behind those of unread_words.py."""

from __future__ import annotations

from typing import Final

from lbdns.mapped.unread_words import UNREAD_FLOOD

STREAM_REPLIES: Final = UNREAD_FLOOD + 1
"""Of the replies over TCP, those that the fast path gave."""
