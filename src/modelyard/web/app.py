"""The application: the door, the API, the console."""

from __future__ import annotations

from functools import partial

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

import modelyard
from modelyard.web import pages
from modelyard.web.answers import answered, json, problem
from modelyard.web.api import WAYS
from modelyard.web.desk import Desk
from modelyard.web.door import Door, names

_LARGEST = 64 << 10
"""Bytes of a request's body."""


def app(desk: Desk) -> Starlette:
    """What ``listen`` serves."""
    settings = desk.settings.console
    routes = [
        Route("/", _home),
        Route("/health", _health),
        Route("/favicon.ico", _nothing),
        Route("/openapi.json", _described),
        Route("/login", _login, methods=["GET", "POST"]),
        Route("/console/style.css", _style),
        *(Route(way.path, answered(way.work, refused=problem), methods=[way.method]) for way in WAYS),
        *(
            Route(path, answered(work, refused=pages.trouble), methods=[method])
            for method, path, work in pages.PAGES
        ),
    ]
    made = Starlette(
        routes=routes,
        middleware=[Middleware(Door, names=names(settings.host, settings.port, settings.hosts))],
        exception_handlers={HTTPException: _not_there},
        max_body_size=_LARGEST,
    )
    made.state.desk = desk
    return made


async def _home(_: Request) -> Response:
    return RedirectResponse("/console", 303)


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _nothing(_: Request) -> Response:
    return Response(status_code=204)


async def _login(request: Request) -> Response:
    return await run_in_threadpool(pages.signed_in, request, await request.body())


async def _style(_: Request) -> Response:
    headers = {"cache-control": "max-age=300"}
    return Response(await run_in_threadpool(pages.style), headers=headers, media_type="text/css")


async def _described(_: Request) -> Response:
    return await run_in_threadpool(partial(json, described()))


async def _not_there(_: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 500
    kind = {404: "unknown_name", 405: "misuse"}.get(code, "misuse")
    told = {404: "There is nothing of that name here.", 405: "This is asked for by another method."}
    message = told.get(code, "This request cannot be answered.")
    return json({"status": "error", "error": {"code": kind, "message": message}}, code)


def described() -> dict[str, object]:
    """The API as an OpenAPI document, typed from the records."""
    schemas, components = msgspec.json.schema_components(
        [way.gives for way in WAYS], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, object]] = {}
    for way, schema in zip(WAYS, schemas, strict=True):
        words = [part[1:-1] for part in way.path.split("/") if part.startswith("{")]
        paths.setdefault(way.path, {})[way.method.lower()] = {
            "summary": way.summary,
            "parameters": [
                {"name": word, "in": "path", "required": True, "schema": {"type": "string"}} for word in words
            ],
            "responses": {
                str(way.code): {"description": "", "content": {"application/json": {"schema": schema}}}
            },
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Modelyard's control plane", "version": modelyard.__version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }
