"""DNSSEC: keys, what they sign, and how that stands."""
