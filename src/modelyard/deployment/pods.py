"""What a cluster tells of a service: whether pods are ready, for which plan, and why they are not."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from modelyard.deployment.kubectl import Kubectl
from modelyard.errors import ServiceDown

Object = dict[str, Any]
PLAN, GENERATION, MODELS = "modelyard.dev/plan", "modelyard.dev/generation", "modelyard.dev/models"
"""Annotations of a pod: the secret with its plan, that plan's generation, what it answers for."""
_HOPELESS = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)


class Seen(NamedTuple):
    """A Deployment with its pods, as they were together."""

    deployment: Object | None
    pods: Sequence[Object]

    @property
    def plan(self) -> str | None:
        """The secret of the plan that it has, or is on its way to."""
        return noted(self.deployment["spec"]["template"]).get(PLAN) if self.deployment else None

    @property
    def ready(self) -> list[Object]:
        return [pod for pod in self.pods if is_ready(pod)]

    def converged(self, plan: str) -> bool:
        """Whether all pods, and none but those, answer for the plan."""
        if self.deployment is None or self.plan != plan:
            return False
        spec, status = self.deployment["spec"], self.deployment.get("status", {})
        wanted = spec.get("replicas", 1)
        counted = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        seen = status.get("observedGeneration", 0) >= self.deployment["metadata"].get("generation", 0)
        return seen and wanted > 0 and counted == [wanted] * 3

    def hopeless(self, plan: str) -> str | None:
        """Why it will not converge without a change."""
        for condition in (self.deployment or {}).get("status", {}).get("conditions", ()):
            failed = condition["type"] == "ReplicaFailure" and condition["status"] == "True"
            if failed and self.plan == plan and self._observed:
                return f"no pod can be made: {condition.get('message', condition.get('reason', ''))}"
        for pod in self.of(plan):
            if doom(pod):
                return f"pod {pod['metadata']['name']} is not going to be ready"
        return None

    def of(self, plan: str) -> list[Object]:
        return [pod for pod in self.pods if noted(pod).get(PLAN) == plan]

    @property
    def _observed(self) -> bool:
        assert self.deployment is not None
        status: int = self.deployment.get("status", {}).get("observedGeneration", 0)
        return bool(status >= self.deployment["metadata"].get("generation", 0))


def noted(thing: Object) -> dict[str, str]:
    found: dict[str, str] = thing.get("metadata", {}).get("annotations") or {}
    return found


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    going = "deletionTimestamp" in pod["metadata"]
    return not going and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def doom(pod: Object) -> str | None:
    """The reason for which a pod will not be ready, where there is one already."""
    status = pod.get("status", {})
    for container in status.get("containerStatuses", ()):
        reason = container.get("state", {}).get("waiting", {}).get("reason")
        if reason in _HOPELESS:
            return str(reason)
        if "terminated" in container.get("state", {}) and pod["spec"].get("restartPolicy") == "Never":
            return "Ended"
    return str(status.get("reason") or "Failed") if status.get("phase") == "Failed" else None


def number(pod: Object) -> int:
    """A pod's identity as a number."""
    return int(hashlib.sha256(pod["metadata"]["uid"].encode()).hexdigest()[:8], 16)


def reasons(cluster: Kubectl, pods: Sequence[Object]) -> str:
    """Why pods are not ready, in their own and the cluster's words; empty where nothing is known."""
    found = [part for pod in pods[:2] if not is_ready(pod) for part in [_reason(cluster, pod)] if part]
    return "; ".join(found)


def _reason(cluster: Kubectl, pod: Object) -> str:
    name = pod["metadata"]["name"]
    told: list[str] = []
    status = pod.get("status", {})
    for container in status.get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting", {})
        state = (container.get("state", {}), container.get("lastState", {}))
        ended = next((one["terminated"] for one in state if "terminated" in one), None)
        told += (
            [": ".join(waiting[key] for key in ("reason", "message") if waiting.get(key))] if waiting else []
        )
        told += [f"it ended with {ended['exitCode']} ({ended.get('reason', '')})"] if ended else []
    told += [
        c["message"] for c in status.get("conditions", ()) if c["status"] == "False" and c.get("message")
    ]
    with contextlib.suppress(ServiceDown):
        told += list(_events(cluster, name))
    told += [f"it said last: {line}" for line in _last_words(cluster, name)]
    return f"pod {name}: " + ", ".join(dict.fromkeys(part for part in told if part))[:700]


def _events(cluster: Kubectl, pod: str) -> Iterator[str]:
    selector = f"involvedObject.kind=Pod,involvedObject.name={pod},type=Warning"
    for event in cluster.objects("events", f"--field-selector={selector}")[-2:]:
        yield f"{event.get('reason')}: {event.get('message')}"


def _last_words(cluster: Kubectl, pod: str) -> list[str]:
    for more in ((), ("--previous",)):
        code, output, _ = cluster.tried("logs", pod, "--tail=1", *more)
        if not code and output.strip():
            return [output.strip()[:300]]
    return []
