"""certbot's plugin for the v4 API, driven without certbot: steps are [add or remove, domain, name, value]."""

from __future__ import annotations

import json
import os
import sys

from certbot_dns_cloudflare._internal.dns_cloudflare import _CloudflareClient  # type: ignore[import-not-found]

TTL_S = 120

api = _CloudflareClient(api_token=os.environ["CLOUDFLARE_API_TOKEN"])
for what, domain, name, value in json.loads(sys.argv[1]):
    if what == "add":
        api.add_txt_record(domain, name, value, TTL_S)
    else:
        api.del_txt_record(domain, name, value)
    print("=", json.dumps(None))
