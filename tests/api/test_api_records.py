"""Records over the API: every common type through the official SDK, mistakes, filters, batches, import and export."""

from __future__ import annotations

from typing import Any

import cloudflare
import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_bodies import content_meant
from tests.api.conftest import Api

pytestmark = pytest.mark.process

HASH = "ab" * 32

# What a client sends beside the name, and the content and the rest that it reads back.
TYPES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "A", "content": "192.0.2.1"}, {"content": "192.0.2.1"}),
    ({"type": "AAAA", "content": "2001:DB8:0::1"}, {"content": "2001:db8::1"}),
    ({"type": "CNAME", "content": "www.example.net."}, {"content": "www.example.net"}),
    ({"type": "MX", "content": "mail.example.net", "priority": 10}, {"content": "mail.example.net", "priority": 10}),
    ({"type": "TXT", "content": "v=spf1 -all"}, {"content": "v=spf1 -all"}),
    ({"type": "TXT", "content": '"v=spf1" " -all"'}, {"content": '"v=spf1" " -all"'}),
    ({"type": "NS", "content": "ns.example.net"}, {"content": "ns.example.net"}),
    (
        {"type": "SRV", "data": {"priority": 1, "weight": 2, "port": 443, "target": "www.example.net"}},
        {"content": "1 2 443 www.example.net", "priority": 1},
    ),
    ({"type": "CAA", "data": {"flags": 0, "tag": "issue", "value": "ca.net"}}, {"content": '0 issue "ca.net"'}),
    ({"type": "PTR", "content": "host.example.net"}, {"content": "host.example.net"}),
    (
        {"type": "SVCB", "data": {"priority": 1, "target": "svc.example.net", "value": 'alpn="h2"'}},
        {"content": '1 svc.example.net alpn="h2"'},
    ),
    (
        {"type": "HTTPS", "data": {"priority": 1, "target": ".", "value": "alpn=h2,h3 port=443"}},
        {
            "content": '1 . alpn="h2,h3" port="443"',
            "data": {"priority": 1, "target": ".", "value": 'alpn="h2,h3" port="443"'},
        },
    ),
    (
        {"type": "TLSA", "data": {"usage": 3, "selector": 1, "matching_type": 1, "certificate": HASH}},
        {"content": f"3 1 1 {HASH}"},
    ),
    ({"type": "SSHFP", "data": {"algorithm": 4, "type": 2, "fingerprint": HASH}}, {"content": f"4 2 {HASH}"}),
    ({"type": "DNAME", "content": "example.net"}, {"content": "example.net"}),
    ({"type": "TYPE65280", "content": r"\# 4 01020304"}, {"content": r"\# 4 01020304"}),
    (
        {"type": "DS", "data": {"key_tag": 1, "algorithm": 13, "digest_type": 2, "digest": HASH}},
        {"content": f"1 13 2 {HASH}"},
    ),
    (
        {"type": "URI", "priority": 10, "data": {"weight": 1, "target": "https://example.net/"}},
        {"content": '10 1 "https://example.net/"', "priority": 10},
    ),
    (
        {
            "type": "NAPTR",
            "data": {"order": 1, "preference": 2, "flags": "S", "service": "SIP", "regex": "", "replacement": "a.b"},
        },
        {"content": '1 2 "S" "SIP" "" a.b'},
    ),
]


@pytest.fixture
def zone(api: Api) -> Item:
    return api.zone()


@pytest.fixture
def sdk(api: Api) -> Any:
    with cloudflare.Cloudflare(api_token=api.write_token, base_url=api.base, max_retries=0) as made:
        yield made


def path(zone: Item, *more: str) -> str:
    """Return a path below the zone's records."""
    return "/".join([f"/zones/{zone.id}/dns_records", *more])


def refusals(response: httpx.Response) -> list[tuple[int, str | None]]:
    """Return (code, pointer) of every error."""
    return [(error["code"], error.get("source", {}).get("pointer")) for error in response.json()["errors"]]


def serial(client: httpx.Client, zone: Item) -> int:
    """Return the zone's serial."""
    return int(client.get(f"/zones/{zone.id}").json()["result"]["serial"])


def contents(api: Api) -> list[tuple[str, str, str]]:
    found = api.manager.state.all(Kind.RECORD).values()
    return sorted((one.name, one.body["type"], content_meant(one.body)) for one in found)


def test_every_type_is_written_and_read_back(client: httpx.Client, zone: Item) -> None:
    for index, (body, expected) in enumerate(TYPES):
        name = f"n{index}.example.com"
        made = client.post(path(zone), json={"name": name, "ttl": 1, **body})
        assert made.status_code == 200, made.text
        record = made.json()["result"]
        wanted = {"name": name, "ttl": 1, "proxied": False, "comment": None, "tags": [], **body, **expected}
        assert {key: record[key] for key in wanted} == wanted
        assert client.put(path(zone, record["id"]), json=record).json()["result"] == record
        assert client.get(path(zone, record["id"])).json()["result"] == record


def test_through_the_sdk(sdk: cloudflare.Cloudflare, zone: Item) -> None:
    records = sdk.dns.records
    made = records.create(zone_id=zone.id, name="www", type="A", content="192.0.2.1", ttl=1, tags=["team:web"])
    assert made is not None and made.name == "www.example.com" and made.proxiable is False
    assert records.get(made.id, zone_id=zone.id) == made
    edited = records.edit(made.id, zone_id=zone.id, name="www", type="A", content="192.0.2.2", ttl=60, comment="moved")
    assert edited is not None and (edited.content, edited.comment, edited.tags) == ("192.0.2.2", "moved", ["team:web"])
    updated = records.update(made.id, zone_id=zone.id, name="www", type="A", content="192.0.2.3", ttl=60)
    assert updated is not None and updated.comment is None
    for number in range(5):
        records.create(zone_id=zone.id, name=f"m{number}", type="TXT", content=f"text {number}", ttl=1)
    assert len(list(records.list(zone_id=zone.id, per_page=2))) == 6
    assert [one.name for one in records.list(zone_id=zone.id, name={"exact": "m1.example.com"})] == ["m1.example.com"]
    done = records.batch(
        zone_id=zone.id,
        deletes=[{"id": made.id}],
        posts=[{"name": "b", "type": "AAAA", "content": "2001:db8::1", "ttl": 1}],
    )
    assert done is not None and done.deletes and done.posts
    assert (done.deletes[0].content, done.posts[0].name) == ("192.0.2.3", "b.example.com")
    assert "2001:db8::1" in records.export(zone_id=zone.id)
    imported = records.import_(zone_id=zone.id, file="c 300 IN A 192.0.2.9\nb 300 IN AAAA 2001:db8::1\n")
    assert imported is not None and (imported.recs_added, imported.total_records_parsed) == (1, 2)
    deleted = records.delete(done.posts[0].id, zone_id=zone.id)
    assert deleted is not None and deleted.id == done.posts[0].id
    with pytest.raises(cloudflare.NotFoundError):
        records.get(made.id, zone_id=zone.id)
    with pytest.raises(cloudflare.BadRequestError):
        records.create(zone_id=zone.id, name="bad", type="A", content="x", ttl=1)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/name", "/type"]),
        ({"name": "www", "type": "A"}, ["/content"]),
        ({"name": "www", "type": "A", "content": "300.0.2.1"}, ["/content"]),
        ({"name": "www", "type": "A", "content": 7}, ["/content"]),
        ({"name": "www", "type": "AAA", "content": "::1"}, ["/type"]),
        ({"name": "www", "type": "SOA", "content": "a b 1 2 3 4 5"}, ["/type"]),
        ({"name": "www.example.org.", "type": "A", "content": "192.0.2.1"}, ["/name"]),
        ({"name": "a..b", "type": "A", "content": "192.0.2.1"}, ["/name"]),
        ({"name": "www", "type": "A", "content": "192.0.2.1", "ttl": -1}, ["/ttl"]),
        ({"name": "www", "type": "A", "content": "192.0.2.1", "ttl": 2**31}, ["/ttl"]),
        ({"name": "www", "type": "A", "content": "192.0.2.1", "proxied": True}, ["/proxied"]),
        ({"name": "www", "type": "A", "content": "192.0.2.1", "comment": "x" * 501}, ["/comment"]),
        ({"name": "www", "type": "A", "content": "192.0.2.1", "tags": ["a", 7]}, ["/tags/1"]),
        (
            {"name": "www", "type": "CNAME", "content": "a.net", "settings": {"flatten_cname": True}},
            ["/settings/flatten_cname"],
        ),
        ({"name": "www", "type": "MX", "content": "mail.example.net"}, ["/priority"]),
        ({"name": "www", "type": "MX", "content": "mail.example.net", "priority": 70000}, ["/priority"]),
        ({"name": "www", "type": "TXT", "content": '"open'}, ["/content"]),
        ({"name": "www", "type": "A", "data": {"address": "192.0.2.1"}}, ["/data", "/content"]),
        (
            {"name": "_a._tcp", "type": "SRV", "data": {"port": 1, "wieght": 2, "target": "a b"}},
            ["/data/priority", "/data/target", "/data/weight", "/data/wieght"],
        ),
        (
            {"name": "www", "type": "CAA", "data": {"flags": 300, "tag": "is sue", "value": 7}},
            ["/data/flags", "/data/tag", "/data/value"],
        ),
        (
            {
                "name": "www",
                "type": "TLSA",
                "data": {"usage": 3, "selector": 1, "matching_type": 1, "certificate": "zz"},
            },
            ["/data/certificate"],
        ),
        (
            {
                "name": "www",
                "type": "CAA",
                "content": '0 issue "a"',
                "data": {"flags": 0, "tag": "issue", "value": "b"},
            },
            ["/data"],
        ),
    ],
)
def test_every_mistake_is_told_with_its_pointer(
    api: Api, client: httpx.Client, zone: Item, body: dict[str, Any], pointers: list[str]
) -> None:
    before = api.manager.state.revision
    response = client.post(path(zone), json=body)
    assert response.status_code == 400
    assert sorted(refusals(response)) == sorted((1002, pointer) for pointer in pointers)
    assert api.manager.state.revision == before


def test_records_that_do_not_go_together(client: httpx.Client, zone: Item) -> None:
    assert client.post(path(zone), json={"name": "www", "type": "A", "content": "192.0.2.1"}).status_code == 200
    beside = client.post(path(zone), json={"name": "www", "type": "CNAME", "content": "a.example.net"})
    assert refusals(beside) == [(81053, "/name")]
    assert "stands alone" in beside.json()["errors"][0]["message"]
    other = client.post(path(zone), json={"name": "al", "type": "CNAME", "content": "a.example.net"})
    second = client.post(path(zone), json={"name": "al", "type": "A", "content": "192.0.2.1"})
    assert other.status_code == 200 and refusals(second) == [(81053, "/name")]
    glue = client.post(path(zone), json={"name": "sub", "type": "NS", "content": "ns.sub.example.com"})
    assert refusals(glue) == [(1002, "/content")]
    text = client.post(path(zone), json={"name": "al", "type": "TXT", "content": "beside"})
    assert refusals(text) == [(1002, "/name")]
    ns = next(one for one in client.get(path(zone), params={"type": "NS", "name": "@"}).json()["result"])
    last = client.delete(path(zone, ns["id"]))
    assert last.status_code == 400 and "no NS record" in last.json()["errors"][0]["message"]


def test_the_same_record_twice_is_a_value_that_is_not_unique(client: httpx.Client, zone: Item) -> None:
    body = {"name": "www", "type": "MX", "content": "mail.example.net", "priority": 10}
    assert client.post(path(zone), json=body).status_code == 200
    assert refusals(client.post(path(zone), json={**body, "name": "WWW.example.com."})) == [(81058, "/content")]
    assert refusals(client.post(path(zone), json={**body, "ttl": 60})) == [(81057, "/content")]
    assert client.post(path(zone), json={**body, "priority": 20}).status_code == 200
    case = client.post(path(zone), json={**body, "content": "MAIL.example.net"})
    assert refusals(case) == [(81058, "/content")], "names differ in case alone"


def test_what_surprises_is_said_in_messages(api: Api, client: httpx.Client, zone: Item) -> None:
    made = client.post(path(zone), json={"name": "www", "type": "A", "content": "192.0.2.1", "ttl": 60}).json()
    assert made["messages"] == []
    other = client.post(path(zone), json={"name": "www", "type": "A", "content": "192.0.2.2", "ttl": 90}).json()
    assert "60 is served" in other["messages"][0]["message"]
    assert client.post(path(zone), json={"name": "x", "type": "TXT", "content": "x"}).json()["messages"] == []
    pool = {"name": "p", "origins": [{"name": "o", "address": "192.0.2.1"}]}
    pool_id = client.post(f"{api.account}/pools", json=pool).json()["result"]["id"]
    balancer = {"name": "lb.example.com", "default_pools": [pool_id], "fallback_pool": pool_id}
    assert client.post(f"/zones/{zone.id}/load_balancers", json=balancer).status_code == 200
    hidden = client.post(path(zone), json={"name": "lb", "type": "A", "content": "192.0.2.1"}).json()
    told = [one["message"] for one in hidden["messages"] if "hides" in one["message"]]
    assert told and told[0].endswith("hides the zone's own records of this name: A (in the store)")


def test_patch_changes_what_it_names(client: httpx.Client, zone: Item) -> None:
    data = {"priority": 1, "weight": 2, "port": 443, "target": "a.example.net"}
    body = {"name": "_s._tcp", "type": "SRV", "data": data, "comment": "c", "ttl": 60}
    record = client.post(path(zone), json=body).json()["result"]
    one = path(zone, record["id"])
    assert client.patch(one, json={"data": {**data, "port": 80}}).json()["result"]["content"] == "1 2 80 a.example.net"
    assert client.patch(one, json={"priority": 5}).json()["result"]["data"]["priority"] == 5
    assert client.patch(one, json={"content": "7 7 7 b.example.net"}).json()["result"]["data"]["port"] == 7
    reset = client.patch(one, json={"comment": None, "ttl": None}).json()["result"]
    assert (reset["comment"], reset["ttl"]) == (None, 1)
    assert refusals(client.patch(one, json={"content": None})) == [(1002, "/content")]
    assert client.patch(one, json={"type": "TXT", "content": "now text"}).json()["result"]["content"] == "now text"


def test_serials_rise_with_each_change(client: httpx.Client, zone: Item) -> None:
    before = serial(client, zone)
    record = client.post(path(zone), json={"name": "www", "type": "A", "content": "192.0.2.1"}).json()["result"]
    after = serial(client, zone)
    assert after > before
    client.put(path(zone, record["id"]), json=record)
    assert serial(client, zone) == after, "nothing changed"
    client.delete(path(zone, record["id"]))
    assert serial(client, zone) == after + 1


def test_a_record_of_another_zone_is_not_found(api: Api, client: httpx.Client, zone: Item) -> None:
    other = api.zone("example.org")
    record = next(iter(api.manager.state.records(other.id)))
    assert refusals(client.get(path(zone, record))) == [(81044, None)]
    assert refusals(client.delete(path(zone, record))) == [(81044, None)]
    assert refusals(client.patch(path(zone, record), json={})) == [(81044, None)]
    batch = client.post(path(zone, "batch"), json={"deletes": [{"id": record}]})
    assert (batch.status_code, refusals(batch)) == (404, [(81044, "/deletes/0/id")])


def test_a_record_that_a_batch_deletes_is_there_no_longer(api: Api, client: httpx.Client, zone: Item) -> None:
    made = client.post(path(zone), json={"name": "a", "type": "A", "content": "192.0.2.1"}).json()["result"]
    gone = {"id": made["id"]}
    batch = client.post(path(zone, "batch"), json={"deletes": [gone, gone], "patches": [{**gone, "ttl": 60}]})
    assert (batch.status_code, refusals(batch)) == (404, [(81044, "/deletes/1/id"), (81044, "/patches/0/id")])
    assert client.get(path(zone, made["id"])).json()["result"] == made


def test_a_changed_record_is_not_overwritten(client: httpx.Client, zone: Item) -> None:
    made = client.post(path(zone), json={"name": "www", "type": "A", "content": "192.0.2.1"})
    one, tag = path(zone, made.json()["result"]["id"]), {"If-Match": made.headers["etag"]}
    assert client.patch(one, json={"content": "192.0.2.2"}, headers=tag).status_code == 200
    for refused in (client.patch(one, json={}, headers=tag), client.delete(one, headers=tag)):
        assert refusals(refused) == [(1006, None)]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"name": "A.example.com"}, ["a"]),
        ({"name.exact": "a.example.com."}, ["a"]),
        ({"name.startswith": "b"}, ["b"]),
        ({"name.endswith": "c.example.com"}, ["c"]),
        ({"name.contains": ".EXAMPLE", "type": "txt"}, ["b", "c"]),
        ({"content": "192.0.2.1"}, ["a"]),
        ({"content.exact": '"Two"'}, ["c"]),
        ({"content.contains": "TWO"}, ["c"]),
        ({"content.startswith": '"o'}, ["b"]),
        ({"comment.present": ""}, ["a", "b"]),
        ({"comment.absent": "true", "type": "TXT"}, ["c"]),
        ({"comment": "FIRST one"}, ["a"]),
        ({"comment.contains": "one"}, ["a", "b"]),
        ({"tag": "team:web"}, ["a"]),
        ({"tag.present": "team"}, ["a", "b"]),
        ({"tag.absent": "team", "type": "TXT"}, ["c"]),
        ({"tag.startswith": "team:d", "tag.present": "x"}, []),
        ({"tag.startswith": "team:d", "tag.exact": "team:web", "tag_match": "any"}, ["a", "b"]),
        ({"tag.endswith": "team:eb"}, ["a"]),
        ({"name": "a.example.com", "content.contains": "two", "match": "any"}, ["a", "c"]),
        ({"search": "first"}, ["a"]),
        ({"proxied": "true"}, []),
        ({"type": "TXT", "order": "content", "direction": "desc"}, ["c", "b"]),
        ({"type": "TXT", "direction": "desc"}, ["c", "b"]),
    ],
)
def test_filters(client: httpx.Client, zone: Item, params: dict[str, str], names: list[str]) -> None:
    posts = [
        {"name": "a", "type": "A", "content": "192.0.2.1", "comment": "first one", "tags": ["team:web"]},
        {"name": "b", "type": "TXT", "content": "one", "comment": "second one", "tags": ["team:dns"]},
        {"name": "c", "type": "TXT", "content": "two"},
    ]
    assert client.post(path(zone, "batch"), json={"posts": posts}).status_code == 200
    found = client.get(path(zone), params=params).json()["result"]
    assert [one["name"].removesuffix(".example.com") for one in found] == names


def test_bad_filters_are_refused(client: httpx.Client, zone: Item) -> None:
    for params in ({"order": "age"}, {"match": "some"}):
        assert client.get(path(zone), params=params).status_code == 400
    past = client.get(path(zone), params={"page": 99}).json()
    assert past["result"] == [] and past["result_info"]["total_count"] == 0


def test_a_batch_is_done_in_its_order(client: httpx.Client, zone: Item) -> None:
    posts = [{"name": name, "type": "A", "content": "192.0.2.1"} for name in "abc"]
    a, b, c = client.post(path(zone, "batch"), json={"posts": posts}).json()["result"]["posts"]
    before = serial(client, zone)
    body = {
        "posts": [{"name": "a", "type": "CNAME", "content": "b.example.com"}],
        "puts": [{"id": c["id"], "name": "c", "type": "AAAA", "content": "2001:db8::1"}],
        "patches": [{"id": b["id"], "ttl": 60}],
        "deletes": [{"id": a["id"]}],
    }
    result = client.post(path(zone, "batch"), json=body).json()["result"]
    assert result["deletes"] == [a]
    assert (result["patches"][0]["content"], result["patches"][0]["ttl"]) == ("192.0.2.1", 60)
    assert (result["puts"][0]["id"], result["puts"][0]["type"]) == (c["id"], "AAAA")
    assert result["posts"][0]["type"] == "CNAME"
    assert serial(client, zone) == before + 1, "one change, one serial"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"post": []}, [(1002, "/post")]),
        ({"posts": {}}, [(1002, "/posts")]),
        ({"posts": [7]}, [(1002, "/posts/0")]),
        ({"deletes": [{}]}, [(1002, "/deletes/0/id")]),
        (
            {"patches": [{"id": "0" * 32}], "puts": [{"id": "1" * 32}]},
            [(81044, "/patches/0/id"), (81044, "/puts/0/id")],
        ),
        (
            {"posts": [{"name": name, "type": "A", "content": "192.0.2.1"} for name in "aba"]},
            [(81058, "/posts/2/content")],
        ),
        (
            {"posts": [{"name": "a", "type": "A", "content": "x"}, {"name": "b", "type": "A", "content": "192.0.2.1"}]},
            [(1002, "/posts/0/content")],
        ),
        (
            {
                "posts": [
                    {"name": "a", "type": "A", "content": "192.0.2.1"},
                    {"name": "a", "type": "CNAME", "content": "b.example.net"},
                ]
            },
            [(81053, "/posts/1/name")],
        ),
    ],
)
def test_a_batch_is_done_whole_or_not(
    api: Api, client: httpx.Client, zone: Item, body: dict[str, Any], expected: list[tuple[int, str | None]]
) -> None:
    before = api.manager.state.revision
    assert refusals(client.post(path(zone, "batch"), json=body)) == expected
    assert api.manager.state.revision == before


def test_import_adds_all_or_nothing(api: Api, client: httpx.Client, zone: Item) -> None:
    text = '$TTL 60\n@ SOA x y 9 1 1 1 1\n@ NS ns1\nwww A 192.0.2.1\n    A 192.0.2.2\n@ HTTPS 1 . alpn="h2,h3"\n'
    files = {"file": ("zone.txt", text)}
    dry = client.post(path(zone, "import"), files=files, params={"dry_run": "true"}).json()
    assert dry["result"]["counts"]["create"] == {"record": 3}
    assert client.get(path(zone)).json()["result_info"]["total_count"] == 0
    done = client.post(path(zone, "import"), files=files).json()
    assert done["result"] == {"recs_added": 3, "total_records_parsed": 4}
    assert "its own SOA" in done["messages"][0]["message"]
    again = client.post(path(zone, "import"), files=files).json()["result"]
    assert again == {"recs_added": 0, "total_records_parsed": 4}
    bad = client.post(path(zone, "import"), files={"file": ("z", "ok A 192.0.2.3\nwww A x\nbad")})
    assert [error["message"].partition(":")[0] for error in bad.json()["errors"]] == ["line 2", "line 3"]
    clash = client.post(path(zone, "import"), files={"file": ("z", "ok A 192.0.2.3\nwww CNAME ok\n")})
    assert clash.status_code == 400 and "stands alone" in clash.json()["errors"][0]["message"]
    assert client.get(path(zone)).json()["result_info"]["total_count"] == 3


def test_export_is_read_back_as_the_same_zone(api: Api, client: httpx.Client, zone: Item) -> None:
    posts = [{"name": f"n{index}", "ttl": 60, "comment": 'a "c"', **body} for index, (body, _) in enumerate(TYPES)]
    assert client.post(path(zone, "batch"), json={"posts": posts}).status_code == 200
    exported = client.get(path(zone, "export"))
    assert exported.headers["content-type"].startswith("text/plain")
    there = client.post(path(zone, "import"), files={"file": exported.content}).json()["result"]
    assert there == {"recs_added": 0, "total_records_parsed": len(TYPES) + 3}
    before, url = contents(api), f"{api.server.address}/lbdns/v1/zones/example.com/import"
    assert client.delete(f"/zones/{zone.id}").status_code == 200
    assert client.post(url, files={"file": exported.content}).status_code == 200
    assert contents(api) == before


def test_a_read_token_changes_nothing(api: Api, zone: Item) -> None:
    with api.client(api.read_token) as reader:
        assert reader.get(path(zone)).status_code == 200
        assert reader.get(path(zone, "export")).status_code == 200
        for response in (
            reader.post(path(zone), json={"name": "www", "type": "A", "content": "192.0.2.1"}),
            reader.post(path(zone, "batch"), json={}),
            reader.post(path(zone, "import"), files={"file": b"a A 192.0.2.1"}),
            reader.delete(f"/zones/{zone.id}"),
        ):
            assert response.status_code == 403
