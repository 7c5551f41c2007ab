"""One deployment at a time, whoever deploys from wherever: a Lease in the namespace."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelyard.deployment.kubectl import Kubectl
from modelyard.errors import ServiceDown

_POLL = 0.5


@contextlib.contextmanager
def turn(cluster: Kubectl, name: str, *, seconds: float, timeout: float) -> Iterator[None]:
    """Hold the lease for at most ``seconds``; ``ServiceDown`` when another holds it for ``timeout``."""
    me = f"{socket.gethostname()}/{os.getpid()}/{_begun(os.getpid())}"
    until = time.monotonic() + timeout
    while (holder := _taken(cluster, name, me, seconds)) is not None:
        if time.monotonic() > until:
            raise ServiceDown(
                f"Another deployment ({holder.rpartition('/')[0]}) is at work in namespace {cluster.namespace}; run it "
                f"again afterwards, or 'kubectl -n {cluster.namespace} delete lease {name}' if it is gone."
            )
        time.sleep(_POLL)
    try:
        yield
    finally:
        cluster.tried("delete", "lease", name, "--ignore-not-found", "--wait=false")


def _taken(cluster: Kubectl, name: str, me: str, seconds: float) -> str | None:
    """None when it is ours now; else who has it."""
    now = dt.datetime.now(dt.UTC)
    lease: dict[str, Any] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {
            "holderIdentity": me,
            "leaseDurationSeconds": int(seconds),
            "renewTime": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        },
    }
    code, _, complaint = cluster.tried("create", "-f", "-", content=json.dumps(lease))
    if not code:
        return None
    if "AlreadyExists" not in complaint:
        raise cluster.failed("create", complaint)
    held = cluster.objects("lease", name)
    if not held:
        return me
    spec, holder = held[0]["spec"], str(held[0]["spec"].get("holderIdentity", ""))
    ends = dt.datetime.fromisoformat(spec["renewTime"]) + dt.timedelta(seconds=spec["leaseDurationSeconds"])
    if ends > now and not _gone(holder):
        return holder
    lease["metadata"]["resourceVersion"] = held[0]["metadata"]["resourceVersion"]
    code, _, complaint = cluster.tried("replace", "-f", "-", content=json.dumps(lease))
    if code and not any(word in complaint for word in ("Conflict", "NotFound", "modified")):
        raise cluster.failed("replace", complaint)
    return holder if code else None


def _gone(holder: str) -> bool:
    """Whether it was a process of this machine that is no more."""
    host, _, rest = holder.partition("/")
    pid, _, begun = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _begun(int(pid)) != begun


def _begun(pid: int) -> str:
    """When a process began, in ticks: a pid may be another's by now."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""
