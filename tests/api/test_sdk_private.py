"""Private networks by the official client, as its documents have them: two data centres whose addresses overlap, pools
for public traffic and for clients of a private network, monitors of private endpoints, a private load balancer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import httpx
import pytest
from cloudflare import BadRequestError, Cloudflare

from tests.api.sdk import Sdk, plain, some, told
from tests.store.served import StoreServer

pytestmark = [pytest.mark.process, pytest.mark.slow]

VNET_1 = "a5624d4e-044a-4ff0-b3e1-e2465353d4b4"
"""The network's id that the documents print."""
OFFICE, OTHERS = "127.0.0.2", "127.0.0.1"
SETTINGS = f"views: {{office: {{networks: [{OFFICE}/32], private: true}}}}"


@pytest.fixture(scope="module")
def private(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    """A server with a private view, and the network that the documents' PATCH names."""
    work: Path = tmp_path_factory.mktemp("private")
    server = StoreServer(work, SETTINGS)
    try:
        server.start()
        server.wait_for_api()
        with server.local as local:
            tree = {"virtual_networks": {"vnet-1": {"id": VNET_1}}}
            local.post("/lbdns/v1/apply", json={"configuration": tree}).raise_for_status()
        token = server.token()
        with Cloudflare(base_url=f"{server.api}/client/v4", api_token=token) as client:
            yield Sdk(server, client, token, client.accounts.list().result[0].id)
    finally:
        server.close()


def asked(sdk: Sdk, name: str, source: str, rdtype: str = "A") -> tuple[str, list[str]]:
    """Return the code and the texts of the answer that a client of an address gets, over UDP and TCP."""
    query = dns.message.make_query(name, rdtype)
    found = []
    for ask in (dns.query.udp, dns.query.tcp):
        reply = ask(query, sdk.server.host, port=sdk.server.port, timeout=5, source=source)
        texts = sorted(str(rdata) for rrset in reply.answer for rdata in rrset)
        found.append((dns.rcode.to_text(reply.rcode()), texts))
    assert found[0] == found[1]
    return found[0]


def test_the_documents_private_networks(private: Sdk) -> None:
    sdk, balancing = private, private.client.load_balancers
    networks = sdk.client.zero_trust.networks
    # Two data centres with the same addresses, a virtual network each.
    second = some(networks.virtual_networks.create(account_id=sdk.account, name="vnet-2", comment="second site"))
    assert {VNET_1, second.id} <= {one.id for one in networks.virtual_networks.list(account_id=sdk.account)}
    networks.routes.create(
        account_id=sdk.account, network="10.0.0.0/24", tunnel_id=VNET_1, virtual_network_id=second.id
    )
    # Monitors of private endpoints: UDP and ICMP.
    ping = some(balancing.monitors.create(account_id=sdk.account, type="icmp_ping", interval=60, description="ping"))
    udp = some(balancing.monitors.create(account_id=sdk.account, type="udp_icmp", port=53, description="udp"))
    # "Public to Tunnel": the PATCH that adds an endpoint of a virtual network to a pool that there is.
    tunnelled = sdk.pool("public-to-tunnel", "192.0.2.1", monitor=ping.id)
    origin: Any = {
        "name": "origin-1",
        "address": "10.0.0.1",
        "enabled": True,
        "weight": 1,
        "virtual_network_id": VNET_1,
    }
    patched = plain(balancing.pools.edit(tunnelled, account_id=sdk.account, origins=[origin]))
    assert origin.items() <= patched["origins"][0].items() and len(patched["origins"]) == 1
    # "Client-to-Tunnel": a pool a data centre.
    pools = []
    for name, network in (("dc-1", VNET_1), ("dc-2", second.id)):
        origins: Any = [
            {"name": f"server-{at}", "address": f"10.0.0.{at}", "virtual_network_id": network} for at in (1, 2)
        ]
        made = balancing.pools.create(account_id=sdk.account, name=name, origins=origins, monitor=some(udp.id))
        pools.append(some(some(made).id))
    server: Any = {**origin, "name": "server-1"}
    patched = plain(balancing.pools.edit(pools[0], account_id=sdk.account, origins=[server]))
    assert server.items() <= patched["origins"][0].items()
    # The private load balancer gets an address; an override leads a name there.
    given = balancing.create(account_id=sdk.account, name="", default_pools=pools, fallback_pool=pools[1])
    assert some(given).name == "100.112.0.0"
    custom = balancing.create(account_id=sdk.account, name="10.10.10.10", default_pools=pools, fallback_pool=pools[0])
    headers = {"Authorization": f"Bearer {sdk.token}"}
    with httpx.Client(base_url=sdk.server.api, headers=headers, trust_env=False) as client:
        body = {"name": "app.internal.local", "load_balancer": "100.112.0.0"}
        reply = client.post("/lbdns/v1/overrides", json=body)
    assert reply.status_code == 200 and "app.internal.local is answered with the address" in reply.text
    second_dc = ("NOERROR", ["10.0.0.1", "10.0.0.2"])  # nobody reaches either: the fallback pool answers
    for name, answer in (
        ("100.112.0.0", second_dc),
        ("App.Internal.local", second_dc),
        ("10.10.10.10", ("NOERROR", ["10.0.0.1"])),
        ("local", ("REFUSED", [])),
        ("x.app.internal.local", ("NXDOMAIN", [])),
    ):
        assert asked(sdk, name, OFFICE) == answer, name
        assert asked(sdk, name, OTHERS) == ("REFUSED", []), name
    with pytest.raises(BadRequestError) as refused:
        balancing.edit(some(some(custom).id), account_id=sdk.account, extra_body={"on_ramps": ["warehouse"]})
    assert [pointer for _, _, pointer in told(refused.value)] == ["/on_ramps/0"]
