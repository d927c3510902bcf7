"""Catalog zones (RFC 9432): a list of zones that travels as a zone, read and made."""
