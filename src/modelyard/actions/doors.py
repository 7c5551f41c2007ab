"""How an environment's service is entered, and what it tells."""

from __future__ import annotations

import ssl
import urllib.request
from typing import TypedDict

from modelyard.project import Project
from modelyard.records.service import Jwt, Quota, Telling, Tls


def directly(context: ssl.SSLContext | None = None) -> urllib.request.OpenerDirector:
    """Asks a service and nobody between: a proxy is for the world outside, and would be shown the token."""
    secure = urllib.request.HTTPSHandler(context=context)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), secure)


class Doors(TypedDict):
    """The fields of a plan that say so."""

    tls: Tls | None
    jwt: Jwt | None
    quota: Quota | None
    telling: Telling


def doors(project: Project, environment: str) -> Doors:
    """As the environment's settings say, with absolute paths."""
    settings, root = project.environment(environment), project.root
    found = Doors(tls=None, jwt=None, quota=None, telling=Telling())
    if tls := settings.tls:
        clients = str(root / tls.clients) if tls.clients else None
        found["tls"] = Tls(certificate=str(root / tls.certificate), key=str(root / tls.key), clients=clients)
    if jwt := settings.jwt:
        keys = jwt.keys if "://" in jwt.keys else str(root / jwt.keys)
        found["jwt"] = Jwt(keys=keys, issuer=jwt.issuer, audience=jwt.audience, scope=jwt.scope)
    if quota := settings.quota:
        path = project.home / "services" / environment / "quota.bin"
        found["quota"] = Quota(requests=quota.requests, per=quota.per, path=str(path))
    log, tracing = settings.log, settings.tracing
    found["telling"] = Telling(
        form=log.form,
        requests=log.requests,
        traces=tracing.endpoint if tracing else None,
        share=tracing.share if tracing else 1.0,
    )
    return found
