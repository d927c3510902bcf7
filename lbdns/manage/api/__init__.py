"""The management API, in the shapes of Cloudflare's v4 API: what its clients know how to use.

app         START HERE: one application made of a router for each area
hosting     the sockets that it is served on
frame/      what every area stands in: what a request passes first (gate), what answers and refusals look like
            (envelope, api_errors), stored objects <-> what the API says (object_shapes), the document that describes it
            all (openapi), its certificate (tls)
v4/, own/   the areas

It reads states and hands changes to the manager of manage/store; nothing here is on the road of a query.
"""
