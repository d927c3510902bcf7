"""Queries as programs print them that collect from the v4 API: exporters, reports, logs."""

from __future__ import annotations

from tests.graphql.played_traffic import ZONE
from tests.graphql.printed_queries import DAY, END, OF_ZONE, POOL_SHAPE, START, Printed

OF_ZONES = {"zoneIDs": [ZONE], "mintime": START, "maxtime": END, "limit": 9999}

COLLECTED: dict[str, Printed] = {}

COLLECTED["exporter_load_balancers"] = Printed(
    """
	query ($zoneIDs: [String!], $mintime: Time!, $maxtime: Time!, $limit: Int!) {
		viewer {
			zones(filter: { zoneTag_in: $zoneIDs }) {
				zoneTag
				loadBalancingRequestsAdaptiveGroups(
					filter: { datetime_geq: $mintime, datetime_lt: $maxtime},
					limit: $limit) {
					count
					dimensions {
						region
						lbName
						selectedPoolName
						proxied
						selectedOriginName
						selectedPoolAvgRttMs
						selectedPoolHealthy
						steeringPolicy
					}
				}
				loadBalancingRequestsAdaptive(
					filter: { datetime_geq: $mintime, datetime_lt: $maxtime},
					limit: $limit) {
					lbName
					proxied
					region
					selectedPoolHealthy
					selectedPoolId
					selectedPoolName
					sessionAffinityStatus
					steeringPolicy
					selectedPoolAvgRttMs
					pools {
						id
						poolName
						healthy
						avgRttMs
					}
					origins {
						originName
						health
						ipv4
						selected
					}
				}
			}
		}
	}""",
    OF_ZONES,
    {
        "loadBalancingRequestsAdaptiveGroups": {
            "count": int,
            "dimensions": {
                "region": str,
                "lbName": str,
                "selectedPoolName": str,
                "proxied": int,
                "selectedOriginName": str,
                "selectedPoolAvgRttMs": int,
                "selectedPoolHealthy": int,
                "steeringPolicy": str,
            },
        },
        "loadBalancingRequestsAdaptive": {
            "lbName": str,
            "proxied": int,
            "region": str,
            "selectedPoolHealthy": int,
            "selectedPoolId": str,
            "selectedPoolName": str,
            "sessionAffinityStatus": str,
            "steeringPolicy": str,
            "selectedPoolAvgRttMs": int,
            "pools": [{"id": str, "poolName": str, "healthy": int, "avgRttMs": int}],
            "origins": [{"originName": str, "health": int, "ipv4": str, "selected": int}],
        },
    },
)
COLLECTED["exporter_by_scalars"] = Printed(
    """
    query LoadBalancerMetrics($zoneIDs: [string!] $mintime: Time! $maxtime: Time! $limit: uint64!) {
      viewer {
        zones(filter: { zoneTag_in: $zoneIDs }) {
          zoneTag
          loadBalancingRequestsAdaptiveGroups(
            limit: $limit
            filter: { datetime_geq: $mintime datetime_lt: $maxtime }
          ) {
            count
            dimensions { lbName selectedPoolName selectedOriginName selectedPoolAvgRttMs numberOriginsSelected }
          }
          loadBalancingRequestsAdaptive(
            filter: { datetime_geq: $mintime, datetime_lt: $maxtime }
            limit: $limit
          ) {
            lbName
            pools { id poolName healthy healthCheckEnabled avgRttMs }
          }
          healthCheckEventsAdaptiveGroups(limit: $limit filter: { datetime_geq: $mintime datetime_lt: $maxtime }) {
            count
            avg { rttMs timeToFirstByteMs tcpConnMs tlsHandshakeMs }
            dimensions { healthStatus originIP region fqdn failureReason }
          }
        }
      }
    }""",
    OF_ZONES,
    {
        "loadBalancingRequestsAdaptiveGroups": {
            "count": int,
            "dimensions": {
                "lbName": str,
                "selectedPoolName": str,
                "selectedOriginName": str,
                "selectedPoolAvgRttMs": int,
                "numberOriginsSelected": int,
            },
        },
        "loadBalancingRequestsAdaptive": {"lbName": str, "pools": [{"id": str, **POOL_SHAPE}]},
        "healthCheckEventsAdaptiveGroups": {
            "count": int,
            "avg": {"rttMs": float, "timeToFirstByteMs": float, "tcpConnMs": float, "tlsHandshakeMs": float},
            "dimensions": {"healthStatus": str, "originIP": str, "region": str, "fqdn": str, "failureReason": str},
        },
    },
)
COLLECTED["collector_of_filters"] = Printed(
    """
    query ($tags: [String!]!, $filter: ZoneFilter_InputObject!, $limit: Int!) {
      viewer {
        zones(filter: { zoneTag_in: $tags }) {
          zoneTag
          loadBalancingRequestsAdaptiveGroups(limit: $limit, filter: $filter) {
            dimensions { lbName proxied }
            count
          }
          healthCheckEventsAdaptiveGroups(limit: $limit, filter: $filter) {
            dimensions { fqdn healthStatus healthChanged healthCheckName }
            count
          }
        }
      }
    }""",
    {"tags": [ZONE], "filter": {"datetime_geq": START, "datetime_lt": END}, "limit": 5000},
    {
        "loadBalancingRequestsAdaptiveGroups": {"count": int, "dimensions": {"lbName": str, "proxied": int}},
        "healthCheckEventsAdaptiveGroups": {
            "count": int,
            "dimensions": {"fqdn": str, "healthStatus": str, "healthChanged": int, "healthCheckName": str},
        },
    },
)
COLLECTED["collector_by_minute"] = Printed(
    """
    query ($zoneTag: string!, $start: Time!, $end: Time!) {
      viewer {
        zones(filter: { zoneTag: $zoneTag }) {
          dnsAnalyticsAdaptiveGroups(
            limit: 10000
            filter: { datetime_geq: $start, datetime_lt: $end }
            orderBy: [datetimeMinute_ASC]
          ) {
            count
            dimensions { datetimeMinute queryType responseCode responseCached }
          }
          loadBalancingRequestsAdaptiveGroups(
            limit: 10000
            filter: { datetime_geq: $start, datetime_lt: $end }
            orderBy: [datetimeMinute_ASC]
          ) {
            count
            dimensions { datetimeMinute lbName selectedPoolName selectedOriginName errorType }
            sum { ruleMatches totalRequestsWithRule }
          }
        }
      }
    }""",
    OF_ZONE,
    {
        "dnsAnalyticsAdaptiveGroups": {
            "count": int,
            "dimensions": {"datetimeMinute": str, "queryType": str, "responseCode": str, "responseCached": int},
        },
        "loadBalancingRequestsAdaptiveGroups": {
            "count": int,
            "dimensions": {
                "datetimeMinute": str,
                "lbName": str,
                "selectedPoolName": str,
                "selectedOriginName": str,
                "errorType": str,
            },
            "sum": {"ruleMatches": int, "totalRequestsWithRule": int},
        },
    },
)
COLLECTED["health_activity"] = Printed(
    """query ActivityLogQuery($zoneTag: string, $filter: HealthCheckEventsByGroupsFilter_InputObject, $activityFilter: HealthCheckEventsFilter_InputObject, $limit: int64!) {
  viewer {
    zones(filter: {zoneTag: $zoneTag}) {
      total: healthCheckEventsAdaptiveGroups(limit: 1, filter: $filter) {
        count
        __typename
      }
      activity: healthCheckEventsAdaptive(filter: $activityFilter, limit: $limit, orderBy: [datetime_DESC, healthCheckId_DESC, scope_DESC]) {
        sampleInterval
        datetime
        failureReason
        fqdn
        healthChanged
        healthCheckId
        healthCheckName
        healthStatus
        originIP
        originResponseStatus
        expectedResponseCodes
        region
        tcpConnMs
        tlsHandshakeMs
        timeToFirstByteMs
        rttMs
        scope
        __typename
      }
      __typename
    }
    __typename
  }
}""",  # noqa: E501
    {"zoneTag": ZONE, "limit": 25, "activityFilter": {"AND": [{"datetime_geq": START}, {"datetime_leq": END}]}},
    {
        "total": {"count": int, "__typename": str},
        "activity": {
            "sampleInterval": int,
            "datetime": str,
            "failureReason": str,
            "fqdn": str,
            "healthChanged": int,
            "healthCheckId": str,
            "healthCheckName": str,
            "healthStatus": str,
            "originIP": str,
            "originResponseStatus": int,
            "expectedResponseCodes": str,
            "region": str,
            "tcpConnMs": int,
            "tlsHandshakeMs": int,
            "timeToFirstByteMs": int,
            "rttMs": int,
            "scope": str,
            "__typename": str,
        },
    },
    operation_name="getOrderedHealthchecks",
)
COLLECTED["dns_report"] = Printed(
    """
    query DnsReport($zoneTag: String!, $startDate: Date!, $endDate: Date!) {
      viewer {
        zones(filter: { zoneTag: $zoneTag }) {
          byDate: dnsAnalyticsAdaptiveGroups(
            limit: 5000 filter: { date_geq: $startDate, date_leq: $endDate } orderBy: [date_ASC]
          ) { dimensions { date } count }
          byQueryType: dnsAnalyticsAdaptiveGroups(
            limit: 20 filter: { date_geq: $startDate, date_leq: $endDate } orderBy: [count_DESC]
          ) { dimensions { queryType } count }
          byQueryName: dnsAnalyticsAdaptiveGroups(
            limit: 15 filter: { date_geq: $startDate, date_leq: $endDate } orderBy: [count_DESC]
          ) { dimensions { queryName } count }
        }
      }
    }""",
    {"zoneTag": ZONE, "startDate": "2027-01-14", "endDate": DAY},
    {
        "byDate": {"count": int, "dimensions": {"date": str}},
        "byQueryType": {"count": int, "dimensions": {"queryType": str}},
        "byQueryName": {"count": int, "dimensions": {"queryName": str}},
    },
)
