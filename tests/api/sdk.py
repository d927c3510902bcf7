"""The v4 API's official client against a whole server: only base URL and token are ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cloudflare import APIStatusError, AsyncCloudflare, BaseModel, Cloudflare

from tests.store.served import StoreServer

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Sdk:
    """A running server, the official client of its API with a token to write, and the account's id."""

    server: StoreServer
    client: Cloudflare
    token: str
    account: str

    @property
    def base_url(self) -> str:
        """What a user sets in place of the official base URL."""
        return f"{self.server.api}/client/v4"

    def open(self, token: str) -> Cloudflare:
        """Return a client with another token; close it."""
        return Cloudflare(base_url=self.base_url, api_token=token)

    def open_async(self) -> AsyncCloudflare:
        """Return the client for asyncio; close it."""
        return AsyncCloudflare(base_url=self.base_url, api_token=self.token)

    def zone(self, name: str) -> str:
        """Make a zone and return its id."""
        return some(self.client.zones.create(account={"id": self.account}, name=name)).id

    def pool(self, name: str, *addresses: str, **fields: Any) -> str:
        """Make a pool of endpoints at these addresses and return its id."""
        origins: Any = [{"name": f"{name}-{index}", "address": address} for index, address in enumerate(addresses)]
        return some(
            self.client.load_balancers.pools.create(account_id=self.account, name=name, origins=origins, **fields).id
        )

    def revision(self) -> int:
        """Return the number of the store's newest revision."""
        with self.server.local as client:
            answer = client.get("/lbdns/v1/revisions", params={"limit": 1}).json()
            return int(answer["result"][0]["revision"]) if answer["result"] else 0


SETTINGS = """
resolvers: ["127.0.0.1:9"]                 # names of endpoints are looked up nowhere else
probe_networks: {allow: ["127.0.0.0/8"]}   # where the endpoints of these tests are
"""


@contextmanager
def sdk_over_store(work: Path, settings: str = SETTINGS) -> Iterator[Sdk]:
    """Run a server over an empty store for a `with` block; `settings` are more lines of lbdns.yaml."""
    server = StoreServer(work, settings)
    try:
        server.start()
        server.wait_for_api()
        token = server.token()
        with Cloudflare(base_url=f"{server.api}/client/v4", api_token=token) as client:
            account = client.accounts.list().result[0].id
            yield Sdk(server, client, token, account)
    finally:
        server.close()


def some(value: Thing | None) -> Thing:
    """Return what the client's types say may be missing, and is not."""
    assert value is not None
    return value


def plain(model: BaseModel | None) -> dict[str, Any]:
    """Return what a typed result holds, as JSON says it."""
    return some(model).to_dict(mode="json")


def told(error: APIStatusError) -> list[tuple[int | None, str | None, str | None]]:
    """Return the errors that the client found in a refusal: code, message, pointer."""
    return [(one.code, one.message, one.source.pointer if one.source else None) for one in error.errors]


def sole(error: APIStatusError) -> tuple[int | None, str | None, str | None]:
    """Return the one error of a refusal."""
    (found,) = told(error)
    return found


def codes(error: APIStatusError) -> list[int | None]:
    """Return the codes of a refusal."""
    return [one.code for one in error.errors]


def within(whole: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a result that `part` names, to be compared with it."""
    return {key: whole.get(key) for key in part}
