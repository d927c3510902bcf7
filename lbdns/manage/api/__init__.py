"""The management API, in the shapes of Cloudflare's v4 API: what its clients know how to use.

app        START HERE: one application made of a router for each area
gate       what every request passes first: who asks, how much, how long
envelope   what every answer looks like            errors   what a refusal looks like
shapes     stored objects <-> what the API says    openapi  the document that describes it all
hosting    the sockets that it is served on                tls      its certificate, renewed

It reads states and hands changes to lbdns.store's manager; nothing here is on the road of a query.
"""
