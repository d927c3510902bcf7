"""The nouns of a configuration, frozen: what SEMANTICS lists under "Fields, defaults, bounds".

    Configuration
      |- Settings          the server (settings.py)
      |- Zone, RRset       static records, wire format (lbdns/dns/zone.py)
      |- Monitor, MonitorGroup -> GroupMember      (monitors.py)
      |- Pool -> Endpoint, LoadShedding, ...       (pool.py)
      `- LoadBalancer -> RandomSteering, LocationStrategy, ...  (balancer.py)
    TargetsDocument      what publishing makes of it for the monitor worker (targets_document.py)

What the worker reads of monitors, groups and filters is declared as plain terms (monitor_terms.py, filter_terms.py,
probe_networks.py), which load no pydantic; the models are derived from them.

A model checks what it can see by itself: types, bounds (bounds.py), forms, fields that exclude one another. That a
reference leads somewhere is lbdns.config's to check. Refusals say what is wrong and what would be right (refusal.py);
`mistakes_of` (mistakes.py) puts pydantic's own errors into such words too.
"""
