"""gql, GraphQL's client: steps are [operation, arguments, named ones]; its transport's address points it here."""

from __future__ import annotations

import json
import os
import ssl
import sys
from typing import Any

from gql import Client, gql  # type: ignore[import-not-found]
from gql.transport.exceptions import TransportQueryError  # type: ignore[import-not-found]
from gql.transport.httpx import HTTPXTransport  # type: ignore[import-not-found]

transport = HTTPXTransport(
    url=f"{os.environ['CLOUDFLARE_BASE_URL']}/graphql",
    headers={"Authorization": f"Bearer {os.environ['CLOUDFLARE_API_TOKEN']}"},
    verify=ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]),
)


def ask(text: str, variables: dict[str, Any] | None = None, with_schema: bool = True) -> Any:
    """Return what a query gives; `with_schema`: the client fetches the schema and checks the query itself."""
    client = Client(transport=transport, fetch_schema_from_transport=with_schema)
    try:
        return client.execute(gql(text), variable_values=variables)
    except TransportQueryError as error:
        return {"raised": error.errors}


for _, arguments, named in json.loads(sys.argv[1]):
    print("=", json.dumps(ask(*arguments, **named)))
