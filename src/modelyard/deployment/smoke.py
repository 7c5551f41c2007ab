"""Whether what was switched answers where clients ask."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse

from modelyard.errors import ServiceDown

_POLL = 0.5


def answering(url: str, wanted: set[str], *, timeout: float = 20.0) -> None:
    """``ServiceDown`` when the service at ``url`` does not say that it answers for these models."""
    parts = urllib.parse.urlsplit(url)
    secure = parts.scheme == "https"
    until, said = time.monotonic() + timeout, ""
    while time.monotonic() < until:
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        door = kind(parts.hostname or "", parts.port, timeout=5)
        try:
            door.request("GET", f"{parts.path.rstrip('/')}/health")
            reply = door.getresponse()
            body = reply.read()
            if reply.status == 200 and wanted <= set(json.loads(body).get("models", ())):
                return
            said = f"{reply.status} {body[:200].decode(errors='replace')}"
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            said = str(error)
        finally:
            door.close()
        time.sleep(_POLL)
    raise ServiceDown(
        f"The pods are ready, but {url}/health does not answer for {', '.join(sorted(wanted))}: {said}."
    )
