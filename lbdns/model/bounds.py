"""Every bound and default of the configuration, each declared once.

Sources: the v4 API's published bounds where it has them, RFC 1035 for names, RFC 2181 for TTLs; the rest are this
project's own. Models, checks and messages all read these names; none repeats a figure.
Those of records are in lbdns/dns/record_bounds.py.
"""

from __future__ import annotations

from typing import Final

# Names and texts, in characters.
MAX_NAME_CHARS: Final = 253
"""A domain name as text, without the trailing dot (RFC 1035: 255 octets on the wire)."""
MAX_LABEL_CHARS: Final = 63
MAX_OBJECT_NAME_CHARS: Final = 100
"""Names of pools, monitors, monitor groups and endpoints."""
MAX_RULE_NAME_CHARS: Final = 200
"""Names of rules and pool sets."""
MAX_DESCRIPTION_CHARS: Final = 1024
MAX_PATH_CHARS: Final = 1024
MAX_EXPECTED_CODES_CHARS: Final = 256
MAX_EXPECTED_BODY_CHARS: Final = 10_240
"""Only the first 10 KB of a body are searched, so nothing longer can match."""
MAX_HEADER_NAME_CHARS: Final = 64
MAX_HEADER_VALUE_CHARS: Final = 1024
MAX_NETWORK_NAME_CHARS: Final = 256
"""Of a virtual network, as the v4 API has it."""
MAX_TUNNEL_ID_CHARS: Final = 64
MAX_VIRTUAL_NETWORKS: Final = 1000
"""Of one configuration, as of an account of the v4 API; the health table has room for a few more."""
MAX_ROUTES: Final = 10_000
MAX_NETWORK_CHARS: Final = 64
MAX_FILE_PATH_CHARS: Final = 4096
MAX_TOKEN_LABEL_CHARS: Final = 32
MAX_URL_CHARS: Final = 2048
MAX_MAIL_ADDRESS_CHARS: Final = 254
"""RFC 5321 section 4.5.3.1.3, without the angle brackets."""

# How many.
MAX_POOLS_PER_LIST: Final = 256
MAX_PLACES_PER_MAP: Final = 1000
"""Keys of region_pools, country_pools or pop_pools."""
MAX_POOL_WEIGHTS: Final = 10_000
MAX_ENDPOINTS_PER_POOL: Final = 100
MAX_GROUP_MEMBERS: Final = 32
MAX_NETWORKS: Final = 16
MAX_HEADERS: Final = 32
MAX_HEADER_VALUES: Final = 8
MAX_AFFINITY_HEADERS: Final = 20
MAX_RULES: Final = 100
"""Of one load balancer."""
MAX_POOL_SETS: Final = 100
"""Of one load balancer."""
MAX_API_NAMES: Final = 100
MAX_LISTEN: Final = 64
MAX_SAMPLES_PER_SECOND: Final = 1000
"""Of all processes of a server; a thread's ring holds a second of them."""
MAX_RESOLVERS: Final = 8
MAX_PROBE_NETWORKS: Final = 64
MAX_NOTIFICATIONS: Final = 32
MAX_MAIL_ADDRESSES: Final = 32
MIN_HISTORY_BYTES: Final = 32_000_000
"""The history's file, with its write-ahead log."""
MAX_HISTORY_BYTES: Final = 1_000_000_000_000
DEFAULT_HISTORY_BYTES: Final = 1_000_000_000
MAX_HISTORY_DAYS: Final = 3650
DEFAULT_HISTORY_DAYS: Final = 90
MAX_ALERTING_NAME_CHARS: Final = 255
"""Of policies and destinations."""
MAX_ROUTING_KEY_CHARS: Final = 64
"""PagerDuty's have 32."""
MAX_MECHANISMS: Final = 32
"""Of each kind, of one policy."""
MAX_FILTER_VALUES: Final = 16
MAX_MOMENT_CHARS: Final = 64
MAX_ALERTING_OBJECTS: Final = 1000
"""Policies, and destinations of each kind."""
MAX_SILENCES: Final = 10_000
MAX_LOGIN_CHARS: Final = 1024
"""Of a name or a password at a mail server."""
MAX_VANTAGE_POINTS: Final = 39
"""Three speak for a region, and there are 13 regions."""
MAX_WORKERS: Final = 256
MAX_XDP_QUEUES: Final = 256
MAX_VIEWS: Final = 64
MAX_VIEW_NAME_CHARS: Final = 63
"""It is part of files' names."""
MAX_VIEW_NETWORKS: Final = 100_000
"""Networks of one view."""
MAX_VIEW_KEYS: Final = 100
MAX_TRUSTED_RESOLVERS: Final = 1000
MAX_KEYS: Final = 256
MAX_KEY_SECRET_CHARS: Final = 1024
"""Of a TSIG key's secret in base64: what is longer than a hash's block is hashed to that first (RFC 2104)."""
MAX_ACCESS_ENTRIES: Final = 1000
"""Of one list."""
MAX_UPDATE_NAMES: Final = 1000
"""Patterns of names, of one entry."""
MAX_UPDATE_TYPES: Final = 100
MAX_PRIMARIES: Final = 16
"""Of one zone."""
MAX_NOTIFY_TARGETS: Final = 64
"""Of one zone."""
MAX_TSIGS: Final = 10_000
"""Keys of a store."""
MAX_PEERS: Final = 10_000
MAX_ACLS: Final = 1000
MAX_TRANSFERRED_ZONES: Final = 10_000
"""Zones with incoming, or outgoing, transfers in a store."""
MAX_CATALOG_MEMBERS: Final = 100_000
"""Zones of one catalog."""
MAX_CATALOG_GROUPS: Final = 1000
MAX_GROUP_CHARS: Final = 255
MAX_REFRESH_S: Final = 2_147_483_647
MAX_ZONE_SETTINGS: Final = 100_000
"""Zones with settings of their own."""


# Guards.
MAX_COOKIE_SECRETS: Final = 3
"""One that makes cookies, one that is to come, and the one before."""
DEFAULT_RATE: Final = 50
MAX_RATE: Final = 1_000_000
DEFAULT_INSTANT: Final = 125
MAX_INSTANT: Final = 100_000
MAX_SLIP: Final = 10
MAX_PROXIES: Final = 1000
"""Addresses and networks of proxies."""

# DNSSEC. What is not said otherwise is in seconds.
DEFAULT_SIGNATURE_INCEPTION_S: Final = 3600
"""How far back signatures begin: validators whose clock is behind by seconds refuse what begins now."""
KEY_SIGNATURE_INCEPTION_S: Final = 300
"""The same of DNSKEY, CDS and CDNSKEY: a parent may ignore what was signed before it looked last (dnssec-cds(1))."""
MAX_SIGNATURE_INCEPTION_S: Final = 86_400
DEFAULT_SIGNATURE_LIFE_S: Final = 14 * 86_400
MIN_SIGNATURE_LIFE_S: Final = 3600
MAX_SIGNATURE_LIFE_S: Final = 90 * 86_400
DEFAULT_SIGNATURE_RENEWAL_S: Final = 7 * 86_400
MIN_SIGNATURE_RENEWAL_S: Final = 900
MAX_NSEC_TTL_S: Final = 86_400
DEFAULT_ZSK_LIFETIME_S: Final = 90 * 86_400
MIN_KEY_LIFETIME_S: Final = 86_400
MAX_KEY_LIFETIME_S: Final = 10 * 365 * 86_400
DEFAULT_DNSKEY_TTL_S: Final = 3600
MAX_DNSKEY_TTL_S: Final = 604_800
DEFAULT_PROPAGATION_S: Final = 300
MAX_PROPAGATION_S: Final = 604_800
DEFAULT_PARENT_PROPAGATION_S: Final = 3600
DEFAULT_SAFETY_S: Final = 3600
DEFAULT_PARENT_DS_TTL_S: Final = 86_400
MAX_PARENT_DS_TTL_S: Final = 604_800
MAX_PARENTS: Final = 16
"""Name servers of a parent zone."""
MAX_SIGNED_ZONES: Final = 10_000
"""Zones with a policy of their own."""

# Load balancers.
DEFAULT_TTL_S: Final = 30
SHORT_TTL_S: Final = 5
"""Below this, resolvers ask for nearly every look-up of their users: warned about."""
LONG_TTL_S: Final = 3600
"""Above this, a failover is not seen for longer than most operators expect: warned about."""
MIN_AFFINITY_TTL_S: Final = 30
MAX_AFFINITY_TTL_S: Final = 604_800
MAX_DRAIN_DURATION_S: Final = 86_400

# Rules.
MAX_TESTS: Final = 8
"""Of one load balancer's rules: what is asked of a wildcard's names, and of texts of addresses that is no prefix."""
MAX_RULE_CELLS: Final = 65_536
"""Of one load balancer's decision table: a cell for each class of addresses, kind of query and result of the tests."""
MAX_VARIANTS: Final = 4096
"""Of one load balancer: sets of rules that match together."""
MAX_RULE_TRUTHS: Final = 1 << 27
"""Of one load balancer's rules: comparisons of addresses, times the addresses at which they turn; a bit each."""
MAX_RULE_PRIORITY: Final = 1_000_000_000
MAX_RESPONSE_BODY_CHARS: Final = 1024
MAX_RESPONSE_LOCATION_CHARS: Final = 2048
MAX_CONTENT_TYPE_CHARS: Final = 32
MIN_STATUS_CODE: Final = 0
"""As the v4 API's documents print it."""
MAX_STATUS_CODE: Final = 599
MAX_LISTS: Final = 1000
MAX_LISTED_NETWORKS: Final = 100_000
"""Networks of one named list."""

# Pools and endpoints.
DEFAULT_MINIMUM_ORIGINS: Final = 1
DEFAULT_WEIGHT: Final = 1.0
WEIGHT_STEPS: Final = 100
"""Weights are 0 to 1 in steps of 1 / WEIGHT_STEPS."""
MAX_PERCENT: Final = 100.0
MAX_LATITUDE_DEG: Final = 90.0
MAX_LONGITUDE_DEG: Final = 180.0
MAX_PORT: Final = 65_535

# Monitors.
DEFAULT_INTERVAL_S: Final = 60
MIN_INTERVAL_S: Final = 5
MAX_INTERVAL_S: Final = 3600
DEFAULT_TIMEOUT_S: Final = 5
MIN_TIMEOUT_S: Final = 1
MAX_TIMEOUT_S: Final = 10
DEFAULT_RETRIES: Final = 2
MAX_RETRIES: Final = 5
MAX_CONSECUTIVE: Final = 100

# The server.
DEFAULT_LISTEN: Final = ("127.0.0.1:5353", "[::1]:5353")
DEFAULT_API_LISTEN: Final = "127.0.0.1:8053"
DEFAULT_WORKERS: Final = 1
DEFAULT_SAMPLES_PER_SECOND: Final = 200
SAMPLED_BITS_4: Final = 24
"""Of an address that a sample keeps: a network of so many bits is the least that is told apart (RFC 7871 11.1)."""
SAMPLED_BITS_6: Final = 56
DEFAULT_USER: Final = "lbdns"
"""Whom a server that is started by root becomes, where this machine has the user and nobody else is named."""
MAX_USER_CHARS: Final = 65
"""Of two names, each of at most 32 (useradd(8))."""
DNS_PORT: Final = 53
DNS_OVER_TLS_PORT: Final = 853
"""RFC 7858 section 3.1."""
SMTP_PORT: Final = 25
SMTPS_PORT: Final = 465
"""Where TLS comes before SMTP (RFC 8314 section 3.3)."""
DEFAULT_MAIL_SERVER: Final = "localhost:25"
DEFAULT_PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
"""The Events API v2."""
DEFAULT_SECRET_HEADER: Final = "cf-webhook-auth"
"""The header of the v4 API's webhooks."""

REGION_CODES: Final = (
    "EEU",
    "ENAM",
    "ME",
    "NAF",
    "NEAS",
    "NSAM",
    "OC",
    "SAF",
    "SAS",
    "SEAS",
    "SSAM",
    "WEU",
    "WNAM",
)
"""The 13 regions of a geo policy, sorted. Which country belongs to which is lbdns.places.regions' knowledge."""
ALL_REGIONS: Final = "ALL_REGIONS"
"""What check_regions takes besides region codes: every region."""
CHECK_REGIONS: Final = (*REGION_CODES, "CHINA", ALL_REGIONS)
"""What check_regions takes: those of the v4 API, which has one more to probe from than to steer by."""
