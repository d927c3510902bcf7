#!/usr/bin/env bash
# HEAD of a route declared for GET, in Python web frameworks of today (PyPI): FastAPI 0.165.0, Litestar 2.25.0, Falcon
# 4.4.0, BlackSheep 2.6.4; Starlette 1.10.0, Quart 0.22.0, Flask 3.1.3, Bottle 0.13.4.
# Guess: the GET's status without the body, as RFC 9110 9.3.2 has it and as Starlette, which FastAPI is made of, does.
# Observed: FastAPI, Litestar and Falcon say 405, BlackSheep 404; the other four 200.
# Why it matters: a monitor set to HEAD to save the body takes healthy endpoints out; with 4xx among the expected codes
# it would keep dead ones. GET is what a health route is written for.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi httpx==0.28.1 fastapi==0.165.0 starlette==1.10.0 litestar==2.25.0 falcon==4.4.0 blacksheep==2.6.4 quart==0.22.0 \
    flask==3.1.3 bottle==0.13.4

cat >"$folder/heads.py" <<'PY'
import asyncio
import logging
import sys

import httpx

logging.disable()


def fastapi():
    import fastapi

    app = fastapi.FastAPI()

    @app.get("/health")
    def health():
        return "healthy"

    return app


def litestar():
    from litestar import Litestar, get

    @get("/health", sync_to_thread=False)
    def health() -> str:
        return "healthy"

    return Litestar([health])


def falcon():
    import falcon.asgi

    class Health:
        async def on_get(self, request, response):
            response.text = "healthy"

    app = falcon.asgi.App()
    app.add_route("/health", Health())
    return app


def blacksheep():
    import blacksheep

    app = blacksheep.Application()

    @app.router.get("/health")
    def health():
        return "healthy"

    return app


def starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    return Starlette(routes=[Route("/health", lambda request: PlainTextResponse("healthy"))])


def quart():
    import quart

    app = quart.Quart("health")

    @app.get("/health")
    async def health():
        return "healthy"

    return app


def flask():
    import flask

    app = flask.Flask("health")

    @app.get("/health")
    def health():
        return "healthy"

    return app


def bottle():
    import bottle

    app = bottle.Bottle()

    @app.get("/health")
    def health():
        return "healthy"

    return app


async def over_asgi(app):
    if hasattr(app, "start"):
        await app.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://www.example.test") as client:
        return (await client.get("/health")).status_code, (await client.head("/health")).status_code


def over_wsgi(app):
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://www.example.test") as client:
        return client.get("/health").status_code, client.head("/health").status_code


framework = sys.argv[1]
app = globals()[framework]()
print(*(over_wsgi(app) if framework in ("flask", "bottle") else asyncio.run(over_asgi(app))))
PY

echo "GET and HEAD of a GET route:"
for expected in "fastapi 405" "litestar 405" "falcon 405" "blacksheep 404" "starlette 200" "quart 200" "flask 200" "bottle 200"; do
    read -r framework status <<<"$expected"
    seen "$framework" "200 $status" "$(python "$folder/heads.py" "$framework" 2>/dev/null)"
done
finish
