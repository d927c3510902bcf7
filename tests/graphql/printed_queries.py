"""Queries as the documents of the v4 API print them.

The text is what a client sends; `variables` are of the kinds that it sends, over an hour that ends at NOW_S. `rows` is
the shape of a row of each node, by the key under which it comes: the types of its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.graphql.played_traffic import ACCOUNT, ZONE

START, END = "2027-01-15T06:00:00Z", "2027-01-15T09:00:00Z"
DAY = "2027-01-15"
OF_ZONE = {"zoneTag": ZONE, "start": START, "end": END}
POOL_SHAPE = {"poolName": str, "healthy": int, "healthCheckEnabled": int, "avgRttMs": int}


@dataclass(frozen=True)
class Printed:
    """One query, what comes with it, and what is to come back."""

    text: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    operation_name: str | None = None
    scope: str = "zones"


DOCUMENTED: dict[str, Printed] = {}

DOCUMENTED["requests_per_pool"] = Printed(
    """
    query RequestsPerPool($zoneTag: string, $start: Time, $end: Time) {
      viewer {
        zones(filter: { zoneTag: $zoneTag }) {
          loadBalancingRequestsAdaptiveGroups(
            limit: 100
            filter: { datetime_geq: $start datetime_leq: $end lbName: "lb.example.com" }
            orderBy: [datetimeFifteenMinutes_DESC]
          ) {
            count
            dimensions { datetimeFifteenMinutes coloCode selectedPoolName }
          }
        }
      }
    }""",
    OF_ZONE,
    {
        "loadBalancingRequestsAdaptiveGroups": {
            "count": int,
            "dimensions": {"datetimeFifteenMinutes": str, "coloCode": str, "selectedPoolName": str},
        }
    },
)
DOCUMENTED["requests_per_data_center"] = Printed(
    """
    query RequestsPerDataCenter($zoneTag: string, $start: Time, $end: Time) {
      viewer {
        zones(filter: { zoneTag: $zoneTag }) {
          loadBalancingRequestsAdaptive(
            limit: 100
            filter: { datetime_geq: $start datetime_leq: $end lbName: "lb.example.com" coloCode: "AMS" }
            orderBy: [datetime_DESC]
          ) {
            selectedPoolName
            pools { poolName healthy healthCheckEnabled avgRttMs }
          }
        }
      }
    }""",
    OF_ZONE,
    {"loadBalancingRequestsAdaptive": {"selectedPoolName": str, "pools": [POOL_SHAPE]}},
)
DOCUMENTED["old_requests_per_data_center"] = Printed(
    f"""
    {{
      viewer {{
        zones(filter: {{zoneTag: "{ZONE}"}}) {{
             loadBalancingRequestsAdaptive(
                limit: 100,
                filter: {{
                    datetime_geq: "{START}",
                    datetime_leq: "{END}",
                    lbName:"lb.example.com",
                    coloCode: "AMS"
                }},
                orderBy: [datetime_DESC]
            ) {{
            selectedPoolName
            pools {{
              poolName
              healthy
              healthCheckEnabled
              avgRttMs
            }}
          }}
        }}
      }}
    }}""",
    rows={"loadBalancingRequestsAdaptive": {"selectedPoolName": str, "pools": [POOL_SHAPE]}},
)
DOCUMENTED["migrated_nodes"] = Printed(
    f"""
    query {{
      viewer {{
        zones(filter: {{ zoneTag: "{ZONE}" }}) {{
          loadBalancingRequestsAdaptiveGroups(
            filter: {{
              datetime_gt: "2027-01-15T04:00:00Z",
              datetime_lt: "2027-01-16T06:00:00Z"
            }}
          ) {{
            dimensions {{
              datetime
              coloCode
            }}
            avg {{
              sampleInterval
            }}
          }}
        }}
      }}
    }}""",
    rows={
        "loadBalancingRequestsAdaptiveGroups": {
            "dimensions": {"datetime": str, "coloCode": str},
            "avg": {"sampleInterval": float},
        }
    },
)
DOCUMENTED["latest_nxdomain"] = Printed(
    f"""
    query GetLatestNXDOMAINResponses {{
      viewer {{
        accounts(filter: {{ accountTag: "{ACCOUNT}" }}) {{
          dnsAnalyticsAdaptive(
            filter: {{ date_geq: "2027-01-14" date_leq: "2027-01-15" responseCode: "NXDOMAIN" }}
            limit: 10000
            orderBy: [datetime_DESC]
          ) {{
            zoneTag
            queryName
            responseCode
            queryType
            datetime
          }}
        }}
      }}
    }}""",
    rows={
        "dnsAnalyticsAdaptive": {
            "zoneTag": str,
            "queryName": str,
            "responseCode": str,
            "queryType": str,
            "datetime": str,
        }
    },
    scope="accounts",
)
DOCUMENTED["with_confidence"] = Printed(
    """
    query SingleDatasetWithConfidence($zoneTag: string, $start: Time, $end: Time) {
      viewer {
        zones(filter: {zoneTag: $zoneTag}) {
          dnsAnalyticsAdaptiveGroups(
            filter: {datetime_gt: $start, datetime_lt: $end}
            limit: 1000
          ) {
            count
            avg {
              sampleInterval
            }
            confidence(level: 0.95) {
              count {
                estimate
                lower
                upper
                sampleSize
              }
            }
          }
        }
      }
    }""",
    OF_ZONE,
    {
        "dnsAnalyticsAdaptiveGroups": {
            "count": int,
            "avg": {"sampleInterval": float},
            "confidence": {"count": {"estimate": float, "lower": float, "upper": float, "sampleSize": int}},
        }
    },
)
DOCUMENTED["undeclared"] = Printed(
    """
    {
      viewer {
        zones(filter: { zoneTag: $tag }) {
          last10Events: healthCheckEventsAdaptive(
            filter: {
              datetime_gt: $start
              datetime_lt: $end
            }
            limit: 10
            orderBy: [
              datetime_DESC
            ]
          ) {
            failureReason
            datetime
            host: fqdn
          }
          top3: dnsAnalyticsAdaptiveGroups(
            filter: {
              date: $ts
            }
            limit: 10
            orderBy: [
              count_DESC
            ]
          ) {
            count
            dimensions {
              device: queryType
            }
          }
        }
      }
    }""",
    {"tag": ZONE, "start": START, "end": END, "ts": DAY},
    {
        "last10Events": {"failureReason": str, "datetime": str, "host": str},
        "top3": {"count": int, "dimensions": {"device": str}},
    },
)
