"""The responder: what a datagram is answered with. Start with respond.py."""

from lbdns.responder.answer import Road
from lbdns.responder.message import Client, Transport
from lbdns.responder.respond import respond
from lbdns.responder.view import View

__all__ = ["Client", "Road", "Transport", "View", "respond"]
