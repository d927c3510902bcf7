"""Queries asked of two configurations at once: which pools, endpoints, codes and scopes differ, by what shares."""
