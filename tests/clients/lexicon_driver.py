"""dns-lexicon as a library: steps are [create or delete, the record's type, name, content, priority]."""

from __future__ import annotations

import json
import os
import sys

from lexicon.client import Client  # type: ignore[import-not-found]
from lexicon.config import ConfigResolver  # type: ignore[import-not-found]

for action, record in json.loads(sys.argv[1]):
    config = {
        "provider_name": "cloudflare",
        "action": action,
        "domain": "example.com",
        **record,
        "cloudflare": {"auth_token": os.environ["CLOUDFLARE_API_TOKEN"]},
    }
    with Client(ConfigResolver().with_dict(config)) as zone:
        about = (record["type"], record["name"], record.get("content"))
        done = zone.create_record(*about) if action == "create" else zone.delete_record(None, *about)
    print("=", json.dumps(done))
