"""Every country is in one region, the states of the US and Canada in theirs."""

from __future__ import annotations

from collections import Counter

import pytest

from lbdns.model import bounds
from lbdns.places import regions
from lbdns.places.place import Place
from lbdns.places.schema import NOT_COUNTRIES
from lbdns.steering.rules.rule_facts import place_facts

# ISO 3166-1 alpha-2, all 249, written down apart from the data file that is tested.
ISO_3166_1_TEXT = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW
"""

US_EAST_TEXT = "AL AR CT DC DE FL GA IA IL IN KY LA MA MD ME MI MN MS NC ND NH NJ NY OH PA RI SC SD TN VA VT WI WV"
US_WEST_TEXT = "AK AZ CA CO HI ID KS MO MT NE NM NV OK OR TX UT WA WY"
CA_EAST_TEXT = "MB NB NL NS NU ON PE QC SK"
CA_WEST_TEXT = "AB BC NT YT"

ISO_3166_1, US_EAST, US_WEST, CA_EAST, CA_WEST = (
    text.split() for text in (ISO_3166_1_TEXT, US_EAST_TEXT, US_WEST_TEXT, CA_EAST_TEXT, CA_WEST_TEXT)
)

# How many countries the table of the Regions API, with lbdns's own placings, lists in each row.
COUNTRY_COUNTS = {
    "EEU": 29,
    "ENAM": 28,
    "ME": 18,
    "NAF": 33,
    "NEAS": 8,
    "NSAM": 18,
    "OC": 24,
    "SAF": 27,
    "SAS": 12,
    "SEAS": 19,
    "SSAM": 8,
    "WEU": 23,
    "WNAM": 2,
}


def test_every_country_is_in_one_region() -> None:
    assert len(ISO_3166_1) == 249
    assert sorted(regions.COUNTRIES) == sorted(ISO_3166_1)
    assert dict(Counter(regions.region_of(code) for code in ISO_3166_1)) == COUNTRY_COUNTS


def test_the_thirteen_regions() -> None:
    """The model checks codes of configurations: it must know the same ones, in the same order."""
    assert len(regions.REGION_CODES) == 13
    assert tuple(sorted(bounds.REGION_CODES)) == regions.REGION_CODES == tuple(sorted(regions.REGIONS))
    assert regions.REGIONS["WNAM"] == "Western North America"


@pytest.mark.parametrize(
    ("country", "region"),
    [("DE", "WEU"), ("IT", "WEU"), ("RU", "EEU"), ("BR", "SSAM"), ("MX", "WNAM"), ("HT", "WNAM"), ("AT", "EEU"),
     ("NO", "EEU"), ("BB", "ENAM"), ("BD", "SEAS"), ("KZ", "SAS"), ("TR", "EEU"), ("EG", "NAF"), ("ZA", "SAF"),
     ("IL", "ME"), ("JP", "NEAS"), ("PE", "NSAM"), ("NZ", "OC"), ("AQ", "OC"), ("IO", "SAS"), ("de", "WEU")],
)  # fmt: skip
def test_countries(country: str, region: str) -> None:
    assert regions.region_of(country) == region


def test_states_decide_in_the_us_and_canada() -> None:
    for country, east, west in (("US", US_EAST, US_WEST), ("CA", CA_EAST, CA_WEST)):
        assert {regions.region_of(country, state) for state in east} == {"ENAM"}
        assert {regions.region_of(country, state) for state in west} == {"WNAM"}
        assert sorted(one.code for one in regions.COUNTRIES[country].subdivisions) == sorted(east + west)
        assert regions.region_of(country) == regions.region_of(country, "XX") == "ENAM"
    assert regions.region_of("us", "ca") == "WNAM"
    assert regions.region_of("DE", "CA") == "WEU"
    assert set(regions.STRADDLING) == {"US", "CA"}


@pytest.mark.parametrize("country", ["", "XX", "EU", "AN", "XK"])
def test_unknown_stays_unknown(country: str) -> None:
    """XK is Kosovo to databases and airports, but no ISO 3166-1 code."""
    assert regions.region_of(country) == ""


@pytest.mark.parametrize(
    ("code", "continent"),
    [("DE", "EU"), ("XK", "EU"), ("AN", "NA"), ("CS", "EU"), ("TP", "AS"), ("ZR", "AF"), ("IC", "AF"), ("ZZ", "")],
)
def test_continents_of_all_codes_that_databases_give(code: str, continent: str) -> None:
    assert regions.continent_of(code) == continent
    assert place_facts(Place(code))["ip.src.continent"] == (continent.encode() or None)


def test_every_country_is_on_a_continent_and_none_is_listed_twice() -> None:
    every = [*regions.COUNTRIES.values(), *regions.OTHER_COUNTRIES.values()]
    assert {one.continent for one in every} == {"AF", "AN", "AS", "EU", "NA", "OC", "SA"}
    assert not regions.COUNTRIES.keys() & regions.OTHER_COUNTRIES.keys()
    assert not regions.OTHER_COUNTRIES.keys() & NOT_COUNTRIES


def test_countries_of_a_region() -> None:
    """The US and Canada are listed on both sides, each with the states of that side alone."""
    listed = {region: regions.countries_of(region) for region in regions.REGION_CODES}
    codes = [country.code for countries in listed.values() for country in countries]
    assert Counter(codes) == Counter(ISO_3166_1) + Counter(["US", "CA"])
    east = {country.code: country for country in listed["ENAM"]}
    west = {country.code: country for country in listed["WNAM"]}
    assert sorted(west) == ["CA", "HT", "MX", "US"]
    assert [one.code for one in west["US"].subdivisions] == US_WEST
    assert [one.code for one in east["US"].subdivisions] == US_EAST
    assert [one.code for one in west["CA"].subdivisions] == CA_WEST
    assert [one.code for one in east["CA"].subdivisions] == CA_EAST
    assert all(one.region == "WNAM" for one in west["US"].subdivisions)
    assert east["BB"].name == "Barbados"
    assert regions.countries_of("nowhere") == ()
