"""lbdns: an authoritative DNS server whose answers are load-balancing decisions."""

__version__ = "0.1.0"
