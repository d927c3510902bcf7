"""Probes: small objects with one method that takes a target and a deadline and gives a result; failure is a value."""
